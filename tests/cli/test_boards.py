"""Over SSH to a real server with the real agent, and everything that can be wrong with a board."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import psutil
import pytest
from sshd import Sshd, free_port, keygen

from cli.conftest import add_board
from cli.harness import Going, Shell, child_of

TRIAL = ".pyz trial"
THREE = "{a: &float {format: tflite, precision: fp32}, b: {format: tflite, precision: int8}, c: *float}"


def test_a_board_runs_what_the_host_built(shell: Shell, board: str) -> None:
    done = shell.run("deploy", shell.recipe(), "--target", board)
    assert done.code == 0, done.err
    assert done.out.startswith("board  ")
    assert [name for name in done.rows if name not in ("board", "Variant")] == ["fp32", "int8"]
    kept = [path.suffix for path in (shell.folder / "board-root" / "store").iterdir()]
    assert sorted(kept) == [".npz", ".pyz", ".tflite", ".tflite"]
    assert sorted(path.name for path in (shell.folder / "board-root").iterdir()) == ["store"]


def test_an_alias_of_ssh_config_is_all_a_target_needs(shell: Shell, sshd: Sshd) -> None:
    (shell.home / ".ssh" / "config").write_text(
        f"Host bench\n  HostName 127.0.0.1\n  Port {sshd.port}\n  User {sshd.user}\n"
        f"  IdentityFile {sshd.identity}\n  UserKnownHostsFile {sshd.known_hosts}\n"
    )
    shell.target("bench", host="bench", python=sys.executable)
    done = shell.run("deploy", shell.recipe(), "--target", "bench", "--variant", "int8")
    assert done.code == 0, done.out
    assert list((sshd.home / ".edgegreen" / "store").glob("*.pyz"))


def test_an_address_is_a_target_with_defaults(shell: Shell, openssh: None, tmp_path: Path) -> None:
    folder = tmp_path / "its-own"
    (folder / "bin").mkdir(parents=True)
    python = folder / "bin" / "python3"  # no link, which would take it for a Python outside its environment
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    server = Sshd(folder, f'SetEnv HOME="{folder}/home" PATH="{folder}/bin:/usr/bin:/bin"').start()
    try:
        (shell.home / ".ssh" / "config").write_text(
            server.config.read_text() + f"  IdentityFile {server.identity}\n"
        )
        address = f"ssh://{server.user}@127.0.0.1:{server.port}"
        done = shell.run("deploy", shell.recipe(), "--target", address, "--variant", "int8", "--json", "-")
        assert done.code == 0, done.err
        assert done.json["results"][0]["target"] == address
        assert list((folder / "home" / ".edgegreen" / "store").glob("*.tflite"))
    finally:
        server.stop()


@pytest.mark.slow
def test_targets_run_side_by_side_and_none_costs_another_its_results(shell: Shell, sshd: Sshd) -> None:
    add_board(shell, sshd, "one")
    add_board(shell, sshd, "two")
    add_board(shell, sshd, "bare", python="no-such-python")
    shell.target("off", host="127.0.0.1", port=free_port())
    recipe = shell.recipe(benchmark="{duration_s: 0.6, warmup_s: 0.02}")
    names = ("off", "one", "local", "bare", "two")
    arguments = [word for name in names for word in ("--target", name)]
    done = shell.run("deploy", recipe, *arguments, "--json", "run.json")
    assert done.code == 5  # the highest of 4 and 5
    (run,) = shell.runs
    assert [(r["target"], r["variant"]) for r in run["results"]] == [
        (name, variant) for name in ("one", "local", "two") for variant in ("fp32", "int8")
    ]
    assert {(f["target"], f["stage"]) for f in run["failures"]} == {("off", "connect"), ("bare", "deploy")}
    assert re.findall(r"^(?:one|local|two)  ", done.out, re.MULTILINE) == ["one  ", "local  ", "two  "]
    assert re.search("^✗ off .connect.: .*nothing listens", done.out, re.MULTILINE)
    assert re.search("^✗ bare .deploy.: there is no `no-such-python`", done.out, re.MULTILINE)
    steps = done.err.splitlines()
    starts = [steps.index(f"{name}: 1/2 fp32") for name in ("local", "one", "two")]
    # One and two are the same machine, and take turns.
    assert max(starts[0], min(starts[1:])) < min(
        steps.index(f"{name}: done") for name in ("one", "local", "two")
    )
    for lost in ("off", "bare"):
        assert any(step.startswith(f"{lost}: failed: ") for step in steps)


def fails(shell: Shell, target: str, code: int, stage: str) -> str:
    """Deploy to a board that cannot do it; the reason, as the table has it and the run keeps it."""
    done = shell.run("deploy", shell.recipe(), "--target", target)
    assert done.code == code, done.out
    assert "Traceback" not in done.out + done.err
    (line,) = done.out.splitlines()
    (failure,) = shell.runs[-1]["failures"]
    assert failure.keys() == {"target", "variant", "stage", "error", "setting"}
    assert (failure["target"], failure["variant"], failure["stage"]) == (target, None, stage)
    assert line == f"✗ {target} ({stage}): {failure['error']}"
    assert " → " in line  # what to do
    assert any(line.startswith(f"{target}: failed: ") for line in done.err.splitlines())
    return line


class TestUnreachable:
    """Exit code 4."""

    def test_a_name_nobody_knows(self, shell: Shell) -> None:
        shell.target("lost", host="no-such-host.invalid")
        assert "the name `no-such-host.invalid` is not known" in fails(shell, "lost", 4, "connect")

    def test_a_port_nobody_listens_on(self, shell: Shell) -> None:
        port = free_port()
        shell.target("closed", host="127.0.0.1", port=port)
        assert f"nothing listens on port {port}" in fails(shell, "closed", 4, "connect")

    def test_a_host_key_never_seen(self, shell: Shell, sshd: Sshd, board: str) -> None:
        (shell.home / ".ssh" / "config").unlink()
        said = fails(shell, board, 4, "connect")
        shown = subprocess.run(
            ["ssh-keygen", "-lf", sshd.host_key], check=True, capture_output=True, text=True
        )
        assert f"unknown host key ED25519 {shown.stdout.split()[1]} " in said
        assert f"connecting once: ssh -p {sshd.port} {sshd.user}@127.0.0.1" in said
        assert not (shell.home / ".ssh" / "known_hosts").exists()

    def test_a_host_key_that_has_changed(self, shell: Shell, sshd: Sshd, board: str, tmp_path: Path) -> None:
        (shell.home / ".ssh" / "config").unlink()
        keygen(tmp_path / "another")
        kind, blob = (tmp_path / "another.pub").read_text().split()[:2]
        (shell.home / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{sshd.port} {kind} {blob}\n")
        said = fails(shell, board, 4, "connect")
        assert "THE HOST KEY HAS CHANGED" in said
        assert f"ssh-keygen -R '[127.0.0.1]:{sshd.port}'" in said

    def test_a_key_that_is_refused(self, shell: Shell, sshd: Sshd, tmp_path: Path) -> None:
        keygen(tmp_path / "another")
        add_board(shell, sshd, "strict", identity_file=tmp_path / "another")
        said = fails(shell, "strict", 4, "connect")
        assert f"login as `{sshd.user}` refused (key {tmp_path}/another was refused)" in said
        assert "the server allows: publickey" in said

    def test_a_server_that_speaks_no_ssh(self, shell: Shell, tmp_path: Path) -> None:
        command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "0"]
        with subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as web:
            try:
                assert web.stdout
                port = next(c.laddr.port for c in listening(web.pid))
                shell.target("web", host="127.0.0.1", port=port)
                assert "not as an SSH server should" in fails(shell, "web", 4, "connect")
            finally:
                web.kill()


def listening(pid: int) -> list[Any]:
    """The sockets a process listens on, as soon as there are any."""
    while True:
        found = [c for c in psutil.Process(pid).net_connections() if c.status == psutil.CONN_LISTEN]
        if found:
            return found


class TestDevice:
    """Exit code 5."""

    def test_no_such_python(self, shell: Shell, sshd: Sshd) -> None:
        add_board(shell, sshd, "bare", python="no-such-python")
        assert "there is no `no-such-python` on the board" in fails(shell, "bare", 5, "deploy")

    def test_a_python_without_a_runtime(self, shell: Shell, sshd: Sshd, tmp_path: Path) -> None:
        venv.create(tmp_path / "venv", symlinks=True)
        python = tmp_path / "venv" / "bin" / "python"
        add_board(shell, sshd, "bare", python=python, provision="false")
        said = fails(shell, "bare", 5, "deploy")
        assert "has no litert or tflite-runtime (found: none)" in said
        assert "`python: /path/to/python` in the target" in said

    def test_a_python_that_is_none(self, shell: Shell, sshd: Sshd) -> None:
        add_board(shell, sshd, "odd", python=Path(__file__))
        assert "cannot be run on the board" in fails(shell, "odd", 5, "deploy")

    def test_a_root_that_cannot_be_written(self, shell: Shell, sshd: Sshd) -> None:
        add_board(shell, sshd, "sealed", root="/proc/edgegreen")
        said = fails(shell, "sealed", 5, "deploy")
        assert "cannot use /proc/edgegreen/store" in said
        assert "`root` in the target" in said

    @pytest.mark.parametrize(
        ("limit", "words"),
        [
            ("size=600k", "MB are free on"),  # seen before anything is sent
            ("size=50m,nr_inodes=5", "No space left on device"),  # and in the middle
        ],
    )
    def test_a_full_disk(self, shell: Shell, limit: str, words: str) -> None:
        """On a real file system of its own; `local` is a target like the others."""
        disk = shell.folder / "disk"
        disk.mkdir()
        mount = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
        script = f'mount -t tmpfs -o {limit} none "$0" && exec "$@"'
        possible = shutil.which("unshare") and not subprocess.call([*mount, script, disk, "true"])
        if not possible:
            pytest.skip("a small file system needs user namespaces, which are not allowed here")
        shell.target("small", host="local", root=disk)
        command = [sys.executable, "-m", "edgegreen", "deploy", str(shell.recipe())]
        command += ["--target", "small", "--target", "local"]
        with Going([*mount, script, str(disk), *command], shell.folder, shell.env) as going:
            done = going.end()
        assert done.code == 5
        assert {"fp32", "int8"} < done.rows.keys()  # of the other target
        (line,) = re.findall("^✗ small .deploy.: .*$", done.out, re.MULTILINE)
        assert words in line

    @pytest.mark.slow
    @pytest.mark.parametrize("where", ["board", "local"])
    def test_a_killed_trial_or_agent_costs_itself_only(
        self, shell: Shell, sshd: Sshd, board: str, where: str
    ) -> None:
        recipe = shell.recipe(variants=THREE, baseline="a", benchmark="{duration_s: 0.6, warmup_s: 0.02}")
        seen: dict[int, psutil.Process] = {}
        with shell.start("deploy", recipe, "--target", where) as going:
            root = going.process.pid if where == "local" else int((sshd.folder / "pid").read_text())
            running(child_of(root, TRIAL, seen)).send_signal(signal.SIGSEGV)
            second = running(child_of(root, TRIAL, seen))
            second.parent().send_signal(signal.SIGKILL)
            child_of(root, TRIAL, seen)
            done = going.end()
        assert done.code == 5
        assert re.search(r"^b .*\n^c [ ?]*litert", done.out, re.MULTILINE)  # b was repeated
        assert re.search("^a ✗ ", done.out, re.MULTILINE)
        assert "✗ a (measure): litert: the trial died of SIGSEGV in stage `" in done.out
        assert f"{where}: the agent on the board ended with exit code 137" in done.err
        assert gone(*seen.values())

    def test_a_trial_that_is_killed_is_told_from_one_that_crashed(self, shell: Shell) -> None:
        recipe = shell.recipe(benchmark="{duration_s: 1, warmup_s: 0.02, threads: [1, 2]}")
        with shell.start("deploy", recipe, "--variant", "fp32") as going:
            running(going.child(TRIAL)).send_signal(signal.SIGKILL)
            done = going.end()
        assert done.code == 5
        assert "✗ fp32, 1 thread (measure): " in done.out
        assert "the trial died of SIGKILL in stage" in done.out
        assert "want of memory" in done.out


def running(trial: psutil.Process) -> psutil.Process:
    """Wait until it has done a little work: imported its runtime and more."""
    while sum(trial.cpu_times()[:2]) < 0.3:
        with contextlib.suppress(psutil.TimeoutExpired):
            trial.wait(0.02)
    return trial


def gone(*processes: psutil.Process) -> bool:
    """Whether all of them end within moments. (One that init has yet to reap has ended.)"""
    alive = psutil.wait_procs(processes, timeout=5)[1]
    return all(process.status() == psutil.STATUS_ZOMBIE for process in alive)
