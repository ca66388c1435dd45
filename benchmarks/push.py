"""How long it takes to bring files to a board: edgegreen beside scp, sftp and rsync.

    python benchmarks/push.py [--rounds N]

One unprivileged OpenSSH server on loopback, one key, all tools in turn, round after round; connecting is
included. edgegreen runs in this process (in a session it is loaded long before), the others as commands.
edgegreen also checks every digest on the board and waits until the files are on its disk; the others do not.
(a) 20 MB over loopback. (b) 200 files of 10 kB at 20 ms round trip, through a proxy that delays.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent.parent / "tests")]

from delay_proxy import DelayProxy  # noqa: E402
from sshd import Sshd  # noqa: E402

from edgegreen.transport import Upload  # noqa: E402
from edgegreen.transport.ssh import SSHTransport  # noqa: E402

Tool = Callable[[Path], None]  # brings the payload into a folder that is not there yet


def main() -> None:
    """Run both parts and print them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as scratch:
        server = Sshd(Path(scratch) / "sshd").start()
        try:
            payload = Path(scratch) / "model.bin"
            payload.write_bytes(os.urandom(20_000_000))
            peers = Peers(server, server.port)
            tools = {
                "edgegreen": edgegreen(server, server.port, [payload]),
                "scp": peers.scp([payload]),
                "scp -c aes128-gcm": peers.scp([payload], "-c", "aes128-gcm@openssh.com"),
                "sftp": peers.sftp(payload),
                "rsync -W": peers.rsync([payload], "-W"),
            }
            compare("(a) 20 MB, loopback", tools, server, rounds, against="scp")

            folder = Path(scratch) / "many"
            folder.mkdir()
            files = [folder / f"{number:03}.bin" for number in range(200)]
            for file in files:
                file.write_bytes(os.urandom(10_000))
            with DelayProxy(server.port, one_way_s=0.01) as proxy:
                server.trust_port(proxy.port)
                peers = Peers(server, proxy.port)
                tools = {
                    "edgegreen": edgegreen(server, proxy.port, files),
                    "scp -r": peers.scp([folder], "-r"),
                    "rsync": peers.rsync([folder], "-r"),
                }
                compare("(b) 200 × 10 kB, 20 ms round trip", tools, server, rounds, against="rsync")
        finally:
            server.stop()


def compare(title: str, tools: dict[str, Tool], server: Sshd, rounds: int, against: str) -> None:
    """Run all tools in turn and print the medians, and how often each needs the time of edgegreen."""
    seconds: dict[str, list[float]] = {name: [] for name in tools}
    for number in range(rounds):
        for name, tool in tools.items():
            destination = server.home / f"{name.replace(' ', '_')}-{number}"
            os.sync()  # nobody waits for what another one left unwritten
            began = time.perf_counter()
            tool(destination)
            seconds[name].append(time.perf_counter() - began)
            subprocess.run(["rm", "-rf", destination], check=True)
    print(f"\n{title}, {rounds} rounds")
    print(f"{'':20}{'median':>9}{'fastest':>9}{'vs edgegreen':>14}")
    ours = statistics.median(seconds["edgegreen"])
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"{name:20}{median * 1e3:6.0f} ms{min(values) * 1e3:6.0f} ms{median / ours:12.2f} ×")
    print(f"edgegreen is {statistics.median(seconds[against]) / ours:.2f} × as fast as {against}")


def edgegreen(server: Sshd, port: int, files: list[Path]) -> Tool:
    """Connect and put, digests known as they are in a session."""
    digests = {file: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}

    def push(destination: Path) -> None:
        uploads = [Upload(f, f"{destination}/{f.name}", digests[f], f.stat().st_size) for f in files]
        with SSHTransport.connect(server.target(port=port), config_files=[server.config]) as board:
            board.put(uploads)

    return push


class Peers:
    """OpenSSH's and rsync's own commands, with the same key and the same known_hosts."""

    def __init__(self, server: Sshd, port: int) -> None:
        self._options = [
            "-F",
            server.config,
            "-i",
            server.identity,
            "-o",
            f"Port={port}",
            "-o",
            "BatchMode=yes",
        ]
        self._host = f"{server.user}@127.0.0.1"

    def scp(self, sources: list[Path], *options: str) -> Tool:
        """Copy by scp."""

        def push(destination: Path) -> None:
            run("scp", "-q", *self._options, *options, *sources, f"{self._host}:{destination}")

        return push

    def sftp(self, source: Path) -> Tool:
        """Copy by sftp."""

        def push(destination: Path) -> None:
            run("sftp", "-q", *self._options, "-b", "-", self._host, stdin=f"put {source} {destination}\n")

        return push

    def rsync(self, sources: list[Path], *options: str) -> Tool:
        """Copy by rsync."""
        shell = " ".join(["ssh", *map(str, self._options)])

        def push(destination: Path) -> None:
            run("rsync", *options, "-e", shell, *sources, f"{self._host}:{destination}")

        return push


def run(*command: str | Path, stdin: str = "") -> None:
    """Run a command that must succeed."""
    subprocess.run(command, check=True, input=stdin.encode(), stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
