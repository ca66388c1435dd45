"""A run as CSV, JSON and JUnit, from the same records."""

from __future__ import annotations

import csv
import importlib
import io
import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from builders import earlier, measurement, metered, run

from edgegreen.config.limitkeys import Budgets
from edgegreen.history import series
from edgegreen.judging import against, comparison
from edgegreen.judging.against import Source
from edgegreen.measurement import Failure, Run, Tuning
from edgegreen.report import formats
from edgegreen.report.contents import Contents


def written(name: str, of: Run) -> str:
    return formats.report(name, Contents(of, comparison.of(of), series.nowhere))


def lines(*items: Any, **wanted: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(written("csv", run(*items, **wanted)))))


@pytest.mark.parametrize("module", formats.FORMATS.values())
def test_every_format_has_its_module(module: str) -> None:
    assert callable(importlib.import_module(module).report)


def test_json_is_the_run() -> None:
    of = run(measurement())
    assert Run.model_validate_json(written("json", of)) == of


class TestCsv:
    """A line for each row, all digits, nothing that a spreadsheet runs."""

    def test_every_digit_is_there_and_units_are_in_the_headings(self) -> None:
        p50 = 0.1 + 0.2
        (line,) = lines(metered("a", mj=1 / 3, p50=p50), budgets=Budgets(latency_p50_ms_max=0.1))
        assert float(line["latency_p50_ms"]) == p50
        assert float(line["energy_mj"]) == 1 / 3
        assert line["missed_budgets"] == "p50 0.3 ms > 0.1 ms"
        assert (line["target"], line["variant"], line["emulated"]) == ("pi5", "a", "false")

    def test_columns_are_the_same_whatever_was_measured(self) -> None:
        bare = run(measurement(accuracy=None, peak_rss_bytes=None, precision=None))
        full = run(metered(tuning=Tuning(governor="powersave", power_mode=2)))
        first, second = (written("csv", of).splitlines()[0] for of in (bare, full))
        assert first == second == written("csv", run()).rstrip("\n")
        assert len(set(first.split(","))) == len(first.split(","))

    def test_what_is_absent_is_empty_and_zero_is_not(self) -> None:
        (line,) = lines(measurement(accuracy=None, peak_rss_bytes=0))
        assert (line["accuracy"], line["accuracy_n"], line["energy_mj"], line["governor"]) == ("",) * 4
        assert line["peak_rss_bytes"] == "0"

    @pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\n=1"])
    def test_no_text_is_a_formula(self, name: str) -> None:
        (line,) = lines(measurement(target=name, reasons=(name,), verdict="invalid"))
        assert line["target"] == f"'{name}"
        assert line["reasons"].startswith("'")

    def test_negative_numbers_stay_numbers(self) -> None:
        (line,) = lines(metered(mj=-0.25))
        assert line["energy_mj"] == "-0.25"

    def test_commas_quotes_and_newlines_stay_in_their_cell(self) -> None:
        (line,) = lines(measurement(verdict="invalid", reasons=('a, "b"\r\nc', "d")))
        assert line["reasons"] == 'a, "b"\nc; d'

    def test_numbers_come_back_with_all_their_digits(self) -> None:
        text = written("csv", run(metered(mj=1 / 3), measurement("b")))
        first, second = csv.DictReader(io.StringIO(text))
        assert float(first["energy_mj"]) == 1 / 3
        assert (second["energy_mj"], second["emulated"]) == ("", "false")


class TestJunit:
    """A suite per target, a case per row and per failure, by the rules of both common schemas."""

    FAILURES = (
        Failure(target=None, variant="int8-openvino", stage="convert", error="no such \x1b operator"),
        Failure(target="pi5", variant="fp16-tflite", stage="measure", error="crashed", setting="4 threads"),
        Failure(target="pi3", variant=None, stage="connect", error="<refused> & gone"),
    )

    def document(self, *items: Any, **wanted: Any) -> ET.Element:
        return ET.fromstring(written("junit", run(*items, **wanted)))

    def test_suites_and_cases(self) -> None:
        found = self.document(
            measurement("fp32", size_bytes=99), measurement("int8", size_bytes=9),
            measurement("int8", size_bytes=9, target="x86"),
            failures=self.FAILURES, budgets=Budgets(size_bytes_max=10),
        )  # fmt: skip
        told = {
            suite.get("name"): (suite.get("tests"), suite.get("failures"), suite.get("errors"))
            for suite in found
        }
        assert told == {
            "pi5": ("3", "1", "1"),
            "x86": ("1", "0", "0"),
            "building": ("1", "0", "1"),
            "pi3": ("1", "0", "1"),
        }
        cases = [case.get("name") for case in found.iter("testcase")]
        assert cases == [
            "fp32", "int8", "fp16-tflite, 4 threads (measure)", "int8", "int8-openvino (convert)",
            "all variants (connect)",
        ]  # fmt: skip
        (failure,) = found.iter("failure")
        assert failure.get("message") == failure.text == "size 99 bytes > 10 bytes"
        errors = [(error.get("type"), error.get("message")) for error in found.iter("error")]
        assert errors == [
            ("measure", "crashed"), ("convert", "no such � operator"), ("connect", "<refused> & gone"),
        ]  # fmt: skip

    def test_what_is_not_to_be_trusted_fails_where_the_recipe_minds(self) -> None:
        doubtful = measurement(verdict="invalid", reasons=("a busy board",))
        assert not list(self.document(doubtful).iter("failure"))
        assert "not to be trusted: a busy board" in (self.document(doubtful).findtext(".//system-err") or "")
        for budgets in (Budgets(valid=True), Budgets(latency_p95_ms_max=1000)):
            (failure,) = self.document(doubtful, budgets=budgets).iter("failure")
            assert (failure.text or "").endswith("\na busy board")

    def test_a_comparison_is_told_where_no_limit_is_missed(self) -> None:
        newer = measurement("b", runtime=("litert", "2.4.0", "XNNPACK"))
        then, after = earlier(metered("a", 4.0), measurement("b")), run(metered("a", 3.0, p50=0.5), newer)
        found = against.compare(Source(then, series.nowhere), Source(after, series.nowhere))
        contents = Contents(after, comparison.of(after), series.nowhere, found)
        (suite,) = ET.fromstring(formats.report("junit", contents))
        assert suite.find("properties/property[@name='against']").get("value") == then.run_id
        told = suite.findtext("system-out") or ""
        assert re.search(
            rf"^a, against {then.run_id}: p50 0\.\d+ \(.*\) faster, energy 0\.750 \(.*\) less",
            told,
            re.MULTILINE,
        )
        assert f"b, against {then.run_id}: p50 not compared\n" in told
        assert "≠ b: runtime: litert 2.3.0 + XNNPACK → litert 2.4.0" in told
        assert "· the interval knows the noise" in told

    def test_the_rules_of_the_schemas(self) -> None:
        """Ant's (windyroad/JUnit-Schema), the stricter of the two, and times as Jenkins wants them."""
        windows = {"windows_ns": {"active": (2 * 10**9, 5 * 10**9)}}
        found = self.document(
            measurement(conditions=windows), measurement("b", conditions=windows),
            failures=self.FAILURES, budgets=Budgets(size_bytes_max=1),
        )  # fmt: skip
        for number, suite in enumerate(found):
            assert suite.get("id") == str(number)
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp") or "")
            assert suite.get("hostname")
            assert suite.get("package")
            tags = [child.tag for child in suite]
            assert (tags[0], tags[-2:]) == ("properties", ["system-out", "system-err"])
            assert set(tags[1:-2]) == {"testcase"}
            assert suite.get("tests") == str(len(tags) - 3)
            for case in suite.iter("testcase"):
                assert set(case.attrib) == {"name", "classname", "time"}
                assert [child.tag for child in case] in ([], ["failure"], ["error"])
                assert re.fullmatch(r"\d+\.\d{3}", case.get("time") or "")
        assert found[0].get("time") == "6.000"
        assert written("junit", run()).count("testsuite ") == 0
