"""What this machine has room for: processors, memory, and how many workers that is."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

# Measured resident sizes: TensorFlow 0.6 GB after import and 0.9 GB in a small conversion; ai-edge-quantizer,
# openvino and nncf together 0.2 GB. A conversion holds a few copies of the model.
TENSORFLOW_BYTES, TOOLS_BYTES, COPIES = 1_000_000_000, 400_000_000, 6


def cores() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def how_many(jobs: int, model_bytes: int) -> int:
    """Workers for the `tools` lane: no more than jobs, cores, or what fits into free memory; at least one."""
    free = free_bytes() - TENSORFLOW_BYTES - COPIES * model_bytes
    return max(1, min(jobs, cores(), free // (TOOLS_BYTES + COPIES * model_bytes)))


def free_bytes() -> int:
    """Memory that can be taken without swapping, also inside a container with a limit (cgroup v2)."""
    free = int(psutil.virtual_memory().available)
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
        used = int(Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii"))
        return free if limit == "max" else min(free, int(limit) - used)
    except (OSError, ValueError):
        return free
