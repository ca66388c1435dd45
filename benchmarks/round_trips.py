"""Round trips until the agent could measure: connect, find that all files are there, start a program.

    python benchmarks/round_trips.py

Counted by a proxy at 20 ms round trip, as the longest chain of question and answer.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent.parent / "tests")]

from delay_proxy import DelayProxy  # noqa: E402
from sshd import Sshd  # noqa: E402

from edgegreen.artifact import File  # noqa: E402
from edgegreen.deployment import deploy  # noqa: E402
from edgegreen.transport.ssh import SSHTransport  # noqa: E402


def main() -> None:
    """Deploy twice and print what each step takes."""
    with tempfile.TemporaryDirectory() as scratch:
        server = Sshd(Path(scratch) / "sshd").start()
        files = []
        for name, size in (("agent.pyz", 60_000), ("model.tflite", 54_000), ("evaluation.npz", 3_000_000)):
            path = Path(scratch) / name
            path.write_bytes(os.urandom(size))
            files.append(File.of(path))
        try:
            for title in ("first deploy", "unchanged deploy"):
                with DelayProxy(server.port, one_way_s=0.01) as proxy:
                    server.trust_port(proxy.port)
                    print(f"\n{title}\n{'':24}{'round trips':>12}{'time':>9}{'sent':>12}")
                    steps(server, proxy, files)
        finally:
            server.stop()


def steps(server: Sshd, proxy: DelayProxy, files: list[File]) -> None:
    """Connect, deploy, start; a line for each."""
    began, before = time.perf_counter(), 0

    def report(step: str, sent_bytes: int = 0) -> None:
        nonlocal began, before
        now = time.perf_counter()
        trips = proxy.round_trips - before
        print(f"{step:24}{trips:>12}{(now - began) * 1e3:6.0f} ms{sent_bytes:10} B")
        began, before = now, proxy.round_trips

    with SSHTransport.connect(server.target(port=proxy.port), config_files=[server.config]) as board:
        report("connect")
        report("deploy", deploy(board, "~/.edgegreen", files).sent_bytes)
        process = board.start(["cat"])
        process.write(b"probe\n")
        assert next(process.lines(10, 100)) == b"probe"
        report("start, first answer")
        process.write(b"measure\n")
        assert next(process.lines(10, 100)) == b"measure"
        report("first request")
        print(f"{'total':24}{proxy.round_trips:>12}")
        process.close()


if __name__ == "__main__":
    main()
