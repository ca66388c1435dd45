"""A lab on this machine: labgrid's coordinator and exporters, OpenSSH servers as boards, a power switch."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import getfqdn

import pytest
import waiting
from cli.harness import Done, Going, Shell
from places import REPO
from sshd import Sshd, free_port

from edgegreen.lab.coordinator import Coordinator

BOARDS = ("jetson_1", "jetson_2")
QUICK = {
    "model": str(REPO / "tests/fixtures/models/two_in_two_out.tflite"),
    "variants": "{as-it-is: {format: tflite}}",
    "data": "",
    "baseline": "",
    "benchmark": "{duration_s: 0.2, min_runs: 5, warmup_s: 0.05, min_warmup_runs: 2}",
}
PLACE = """\
{name}:
  aliases: []
  comment: ''
  tags: {{board: jetson, arch: aarch64, edgegreen: bench, rack: '{rack}'}}
  matches: [{{exporter: {exporter}, group: {name}, cls: '*', name: null, rename: null}}]
  created: 1700000000.0
  changed: 1700000000.0
"""


class Lab:
    """`boards` by place; `shell` is a user whose target file `bench` the places name; `switched` is a log.

    Boards that are `broken` do not start when they are switched on.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.boards = {name: Sshd(folder / name).start() for name in BOARDS}
        self.switched: list[tuple[str, bool]] = []
        self.broken: set[str] = set()
        self.switch = _switch(self)
        self.shell = self._user()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        (folder / "places.yaml").write_text(
            "".join(PLACE.format(name=name, exporter="lab1", rack=n) for n, name in enumerate(BOARDS))
            + PLACE.format(name="behind", exporter="lab2", rack=9).replace("board: jetson", "board: nano")
        )
        self._export("lab1", {name: (name, True) for name in BOARDS})
        self._export("lab2", {"behind": ("jetson_2", False)})

    @property
    def address(self) -> str:
        """Of the coordinator."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start coordinator and exporters; returns when all places have their boards."""
        self._run("coordinator", "-l", self.address)
        waiting.until(lambda: "listening on" in self.log("coordinator"))
        self._run("exporter", "-n", "lab1", "lab1.yaml", called="lab1")
        self._run("exporter", "-n", "lab2", "--isolated", "lab2.yaml", called="lab2")
        waiting.until(lambda: len(self.session()._resources) == 5)

    def kill(self, *names: str) -> None:
        """End these with SIGKILL: `coordinator`, `lab1`, `lab2`."""
        for name in names:
            process = self._processes.pop(name)
            process.kill()
            process.wait()

    def restart(self) -> None:
        """The coordinator dies and comes back; its exporters, which die of it, too, as services do."""
        self.kill(*self._processes)
        self.start()

    def session(self) -> Coordinator:
        """What an onlooker sees; closed at once, so it stays as it was."""
        with Coordinator(self.address, "the/test") as link:
            return link

    def holders(self) -> dict[str, str]:
        """The owners of the places that are held."""
        return {one.name: one.owner for one in self.session().places() if one.owner}

    @contextmanager
    def held(self, place: str, by: str) -> Iterator[None]:
        """A place that somebody has."""
        with Coordinator(self.address, by) as link:
            link.acquire(place)
            try:
                yield
            finally:
                link.release(place, by)

    def clear(self) -> dict[str, str]:
        """Free all that is held or reserved; returns what it was."""
        with Coordinator(self.address, "the/test") as link:
            left = {one.name: one.owner for one in link.places() if one.owner}
            for name, who in left.items():
                link.release(name, who)
            for one in link.reservations():
                left[one.token] = one.owner
                link.cancel(one.token)
        return left

    def reservations(self) -> list[str]:
        """What each of them is: waiting, allocated, …"""
        with Coordinator(self.address, "the/test") as link:
            return [one.state for one in link.reservations()]

    def is_free(self) -> bool:
        """Whether nothing is held or reserved."""
        return not self.holders() and not self.reservations()

    def log(self, name: str) -> str:
        """What a process said."""
        return (self.folder / f"{name}.log").read_text()

    def stop(self) -> None:
        """End all of it."""
        self.kill(*self._processes)
        self.switch.shutdown()
        self.switch.server_close()
        for board in self.boards.values():
            board.stop()

    def _user(self) -> Shell:
        shell = Shell(self.folder / "user", self.folder / "user" / "kept")
        identity = self.boards[BOARDS[0]].identity
        for board in self.boards.values():  # one key opens all
            board.identity.with_suffix(".pub").write_text(identity.with_suffix(".pub").read_text())
        known = "".join(board.known_hosts.read_text() for board in self.boards.values())
        (shell.home / ".ssh" / "known_hosts").write_text(known)
        gate = self.boards[BOARDS[0]]  # the host of the isolated exporter, in ssh's words
        (shell.home / ".ssh" / "config").write_text(
            f"Host {getfqdn()}\n  HostName 127.0.0.1\n  Port {gate.port}\n  IdentityFile {identity}\n"
        )
        shell.target(
            "bench", python=sys.executable, identity_file=identity, patience_s=3, family="jetson-nano"
        )
        shell.env["LG_COORDINATOR"] = self.address
        return shell

    def _export(self, exporter: str, boards: dict[str, tuple[str, bool]]) -> None:
        lines = []
        for group, (name, switched) in boards.items():
            board = self.boards[name]
            reached = f"{{address: 127.0.0.1, port: {board.port}, username: {board.user}}}"
            lines.append(f"{group}:\n  NetworkService: {reached}\n")
            if switched:
                url = f"http://127.0.0.1:{self.switch.server_port}/{{index}}/{{value}}"
                lines.append(
                    f"  NetworkPowerPort: {{model: simplerest, host: '{url}', index: {BOARDS.index(name)}}}\n"
                )
        (self.folder / f"{exporter}.yaml").write_text("".join(lines))

    def _run(self, what: str, *arguments: str, called: str = "") -> None:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("LG_")}
        with (self.folder / f"{called or what}.log").open("wb") as log:
            self._processes[called or what] = subprocess.Popen(
                [sys.executable, "-u", "-W", "ignore", "-m", f"labgrid.remote.{what}", *arguments],
                cwd=self.folder, env=environment | {"LG_COORDINATOR": self.address},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip


def _switch(lab: Lab) -> ThreadingHTTPServer:
    """A power switch: GET /0/1 turns the first board on, which starts its server, unless it is on."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            index, value = self.path.strip("/").split("/")
            name, on = BOARDS[int(index)], value == "1"
            lab.switched.append((name, on))
            lab.boards[name].stop()
            if on and name not in lab.broken:
                lab.boards[name].start()
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def start(lab: Lab, *specs: str, seconds: float | None = None, **env: str) -> Going:
    """`edgegreen deploy` on these."""
    longer = {"benchmark": f"{{duration_s: {seconds}, warmup_s: 0.05}}"} if seconds else {}
    recipe = lab.shell.recipe(file=f"{seconds or 'quick'}.yaml", **QUICK | longer)
    named = [word for spec in specs for word in ("--target", spec)]
    return lab.shell.start("deploy", recipe, *named, "--json", "-", **env)


def deploy(lab: Lab, *specs: str, **env: str) -> Done:
    """The same, to its end."""
    with start(lab, *specs, **env) as going:
        return going.end()


def targets(run: Done) -> set[str]:
    """Those that it has results of."""
    return {row["target"] for row in run.json["results"]}


@contextmanager
def running(folder: Path) -> Iterator[Lab]:
    """A lab until the block ends; skips, or fails where it is required, without labgrid."""
    if importlib.util.find_spec("labgrid") is None:
        reason = "labgrid is not installed: the extra `lab` brings it"
        if os.environ.get("EDGEGREEN_REQUIRE_LABGRID") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    lab = Lab(folder)
    try:
        lab.start()
        yield lab
    finally:
        lab.stop()
