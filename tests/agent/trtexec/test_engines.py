"""Which options trtexec is given, and when an engine is built: with a stand-in for it (see fake_trtexec)."""

from __future__ import annotations

import os
from pathlib import Path

import fake_trtexec
import pytest
from fake_trtexec import FIXTURES

from edgegreen.agent.runtimes.tensors import Unsupported
from edgegreen.agent.trtexec import engines, flags, program
from edgegreen.agent.trtexec.order import Order, Port
from edgegreen.agent.trtexec.program import OPTION, Program


def of(version: str) -> Program:
    options = frozenset(OPTION.findall((FIXTURES / f"help-{version}.txt").read_text()))
    return Program("trtexec", version, options, 0)


def order(precision: str) -> Order:
    return Order(precision, 60.0, (Port("x", (1, 2), "float32"),), (Port("y", (1, 2), "float32"),))


@pytest.mark.parametrize(
    ("version", "precision", "options"),
    [
        ("7.1", "fp16", ["--fp16", "--buildOnly", "--explicitBatch", "--workspace=512"]),
        ("8.2", "int8",
         ["--int8", "--fp16", "--buildOnly", "--profilingVerbosity=detailed", "--workspace=512"]),
        ("8.5", "fp32", ["--buildOnly", "--profilingVerbosity=detailed"]),
        ("10.3", "fp16", ["--fp16", "--skipInference", "--profilingVerbosity=detailed"]),
        ("11.1", "int8", ["--skipInference", "--profilingVerbosity=detailed"]),  # the model says what is int8
    ],
)  # fmt: skip
def test_options_of_a_build(version: str, precision: str, options: list[str]) -> None:
    assert flags.build(of(version), precision) == options


def test_int8_takes_tensorrt_8() -> None:
    with pytest.raises(Unsupported, match=r"TensorRT 7\.1 takes no int8 model with its scales in it"):
        flags.build(of("7.1"), "int8")


def test_calls_are_made_alike_by_every_version() -> None:
    """One after the other, with transfers, plain enqueues, no spinning: TensorRT 11 has to be told."""
    old, new = (
        set(flags.run(of(version), warmup_ms=500.4, seconds=0.3, min_runs=7)) for version in ("8.5", "11.1")
    )
    assert {"--exposeDMA", "--warmUp=500", "--duration=1", "--iterations=7"} < old
    assert new - old == {"--includeDataTransfers", "--noSpinWait", "--noCudaGraph"}


def test_an_engine_is_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    model, folder, told = tmp_path / "model.onnx", str(tmp_path / "engines"), []
    model.write_bytes(b"a model")

    def built(version: str = "10.3", precision: str = "int8") -> int:
        fake = fake_trtexec.install(tmp_path / "bin", version)
        engine = engines.obtain(
            program.ask(), str(model), order(precision), folder, lambda stage, done: told.append(stage)
        )
        assert Path(engine.path).read_text() == str(model)
        return len(fake.builds)

    assert [built(), built(), built(precision="fp32"), built("8.5")] == [1, 1, 2, 3]
    model.write_bytes(b"another model")
    assert built() == 4
    assert set(told) == {"parse"}  # no build took a second
    power_modes = iter(["15W", "MAXN"])
    monkeypatch.setattr(engines.conditions, "power_mode", lambda: {"name": next(power_modes), "id": 0})
    assert [built(), built()] == [5, 6]


def test_only_so_many_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "KEPT", 3)
    paths = [tmp_path / f"{number}.engine" for number in range(6)]
    for age, path in enumerate(paths):
        path.write_bytes(b"e" * 10)
        os.utime(path, (1000 - age, 1000 - age))
    engines._prune(str(tmp_path), str(paths[5]))  # the oldest by its clock is the one just built
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.engine", "1.engine", "5.engine"]
    monkeypatch.setattr(engines, "KEPT_BYTES", 15)
    engines._prune(str(tmp_path), str(paths[5]))
    assert [path.name for path in tmp_path.iterdir()] == ["5.engine"]


def test_a_trtexec_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unsupported, match="there is no trtexec on the board"):
        program.ask()
    (tmp_path / "trtexec").write_text(
        "#!/bin/sh\necho 'error while loading shared libraries: libcudart.so.12' >&2; exit 127\n"
    )
    (tmp_path / "trtexec").chmod(0o755)
    with pytest.raises(Unsupported, match="does not answer: error while loading shared libraries: libcudart"):
        program.ask()
