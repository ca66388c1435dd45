"""Many runs as one table: every figure, its unit in its column's name, what is absent absent."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from builders import measurement, metered, run
from click.testing import CliRunner, Result
from pyarrow import dataset
from pyarrow import parquet as pq

from edgegreen import export
from edgegreen.cli import cli
from edgegreen.history import intake
from edgegreen.measurement import Tuning
from edgegreen.report import table

FIRST, SECOND = "20261121-040000-aaaaaa", "20261122-040000-bbbbbb"


@pytest.fixture(autouse=True)
def two_runs() -> None:
    tuned = Tuning(governor="powersave", power_mode=3)
    for run_id, recipe, items in (
        (
            FIRST,
            "kws",
            (metered("a", tuning=tuned), measurement("b", verdict="invalid", reasons=("=1+1", "µ"))),
        ),
        (SECOND, "digits", (measurement("a", target="orin", peak_rss_bytes=None, p50=2.5),)),
    ):
        intake.keep(run(*items).model_copy(update={"run_id": run_id, "recipe": recipe}))


def exported(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["export", *map(str, arguments)])


def test_csv(tmp_path: Path) -> None:
    done = exported("--csv", tmp_path / "all.csv")
    assert (done.exit_code, done.stderr) == (0, f"3 rows of 2 runs in {tmp_path / 'all.csv'}\n")
    with (tmp_path / "all.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == list(table.NAMES)
    assert [(one["run_id"], one["variant"]) for one in rows] == [(FIRST, "a"), (FIRST, "b"), (SECOND, "a")]
    assert (rows[0]["energy_mj"], rows[1]["energy_mj"], rows[2]["latency_p50_ms"]) == ("4.0", "", "2.5")
    report = CliRunner().invoke(cli, ["report", FIRST, "-f", "csv"]).stdout.splitlines()
    assert exported("--csv", "-").stdout.splitlines()[:3] == report


def test_filters_choose_rows(tmp_path: Path) -> None:
    def rows(*wanted: str) -> list[tuple[str, str]]:
        lines = csv.DictReader(exported("--csv", "-", *wanted).stdout.splitlines())
        return [(one["run_id"], one["variant"]) for one in lines]

    assert rows("--variant", "a") == [(FIRST, "a"), (SECOND, "a")]
    assert rows("--verdict", "invalid") == [(FIRST, "b")]
    assert rows("--recipe", "digits") == rows("--target", "orin") == [(SECOND, "a")]
    assert rows("--failed") == rows("--until", "2026-11-20") == []


def test_parquet_has_types(tmp_path: Path) -> None:
    file = tmp_path / "all.parquet"
    assert exported("--parquet", file).exit_code == 0
    found = pq.read_table(file)
    assert found.schema.equals(export.schema())
    assert found.column_names == list(table.NAMES)
    a, b, other = found.to_pylist()
    assert a["started_at"] == datetime(2026, 11, 22, 4, tzinfo=UTC)
    assert (a["power_mode"], a["governor"], a["energy_mj"], b["energy_mj"]) == ("3", "powersave", 4.0, None)
    assert (b["reasons"], b["emulated"], other["peak_rss_bytes"], other["threads"]) == (
        "=1+1; µ",
        False,
        None,
        1,
    )


def test_every_column_that_is_no_text_is_of_its_type() -> None:
    """Also one that is added one day: what a whole row has in it says what it is."""
    from edgegreen.judging import comparison

    whole = run(metered("a", tuning=Tuning(governor="x", power_mode="MAXN")), baseline="a")
    (row,) = comparison.of(whole)
    kinds = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
    for name, value in table.entry(whole, row).items():
        if value is not None and name != "started_at":
            assert export.schema().field(name).type == kinds[type(value)], name


def test_parquet_in_a_folder_has_a_part_for_each_recipe(tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    assert exported("--parquet", folder).exit_code == 0
    assert sorted(path.name for path in folder.iterdir()) == ["recipe=digits", "recipe=kws"]
    found = dataset.dataset(folder, partitioning="hive").to_table().sort_by("run_id").to_pylist()
    assert [(one["run_id"], one["recipe"]) for one in found] == [(FIRST, "kws")] * 2 + [(SECOND, "digits")]
    again = exported("--parquet", folder)
    assert (again.exit_code, "not empty" in again.stderr) == (2, True)


def test_mistakes(tmp_path: Path) -> None:
    for arguments, words in (
        ((), "one of --csv and --parquet"),
        (("--csv", "x", "--parquet", "y"), "one of --csv and --parquet"),
        (("--csv", tmp_path / "no" / "x.csv"), "no such folder"),
        (("--csv", tmp_path), "a folder, not a file"),
        (("--csv", "-", "--since", "yesterday"), "`yesterday` is no time"),
        (("--parquet", "/proc/x.parquet"), "cannot write /proc/x.parquet"),
    ):
        done = exported(*arguments)
        assert (done.exit_code, words in done.stderr) == (2, True), done.stderr


def test_a_file_that_was_there_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "x.parquet"
    file.write_text("as it was")
    from edgegreen.history import engine, schema
    from edgegreen.history.store import Store

    with Store.open(engine.url())._connected(writes=True) as connection:
        connection.execute(schema.result.update().values(record="{}"))
    done = exported("--parquet", file)
    assert done.stderr.count("not a run that this edgegreen can read") == 2
    assert "0 rows of 0 runs" in done.stderr
    assert pq.read_table(file).num_rows == 0
    assert [path.name for path in tmp_path.iterdir()] == ["x.parquet"]
