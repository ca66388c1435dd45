"""Which options trtexec is given. It is asked which ones it has: they come and go between its versions."""

from __future__ import annotations

from ..runtimes.tensors import Unsupported
from .program import Program

# TensorRT 11 has none of them: there the types in the model decide, which are there for this.
PRECISION = {"fp32": (), "fp16": ("--fp16",), "int8": ("--int8", "--fp16")}
FIRST_WITH_QDQ = 8
OLD_WORKSPACE_MB = 512  # until 8.3 a builder gets 16 MB when nothing is said, too little for many kernels


def build(program: Program, precision: str) -> list[str]:
    """How an engine of this precision is built. Raises Unsupported."""
    if precision == "int8" and program.major is not None and program.major < FIRST_WITH_QDQ:
        raise Unsupported(
            "TensorRT {} takes no int8 model with its scales in it; 8.0 (JetPack 4.6) and newer do".format(
                program.version
            )
        )
    wanted = [*PRECISION[precision], "--buildOnly", "--skipInference"]
    if program.major is not None and program.major < FIRST_WITH_QDQ:
        wanted.append("--explicitBatch")
    flags = [flag for flag in wanted if flag in program.options]
    if "--profilingVerbosity" in program.options:
        flags.append("--profilingVerbosity=detailed")
    if "--memPoolSize" not in program.options and "--workspace" in program.options:
        flags.append("--workspace={}".format(OLD_WORKSPACE_MB))
    return flags


def run(program: Program, *, warmup_ms: float, seconds: float, min_runs: int) -> list[str]:
    """How inferences are made: one after the other, inputs and outputs copied, a plain call each.

    That is what TensorRT 7 to 10 do but for `--exposeDMA`, without which two inferences overlap; TensorRT 11
    does the rest only when asked. Averages, a line for every so many calls, are never due.
    """
    flags = ["--warmUp={:d}".format(round(warmup_ms)), "--duration={:d}".format(-int(-seconds // 1))]
    flags += ["--iterations={}".format(min_runs), "--avgRuns=1000000000", "--exposeDMA"]
    return flags + [
        flag
        for flag in ("--includeDataTransfers", "--noSpinWait", "--noCudaGraph")
        if flag in program.options
    ]
