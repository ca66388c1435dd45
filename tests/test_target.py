"""Where targets are found, what an address may say, and what a board's file may hold."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from places import REPO

from edgegreen import target
from edgegreen.config import yamlfile
from edgegreen.errors import InputError
from edgegreen.target import Target


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """The user's own folders, empty: of the working directory, two of the environment, of the config."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    made = {
        "cwd": tmp_path / "targets",
        "first": tmp_path / "lab" / "first",
        "second": tmp_path / "lab" / "second",
        "config": target.platformdirs.user_config_path("edgegreen") / "targets",
    }
    assert tmp_path in made["config"].parents
    for folder in made.values():
        folder.mkdir(parents=True)
    monkeypatch.setenv("EDGEGREEN_TARGETS", os.pathsep.join([str(made["first"]), "", str(made["second"])]))
    return made


def put(folder: Path, name: str, host: str = "board.local") -> Path:
    path = folder / name
    path.write_text(f"host: {host}\n")
    return path


def refused(spec: str) -> InputError:
    with pytest.raises(InputError) as caught:
        target.find(spec)
    return caught.value


class TestSearch:
    """The first folder that has a name wins."""

    def test_the_order(self, places: dict[str, Path]) -> None:
        assert target.find("local").is_local  # shipped
        for place in ("config", "second", "first", "cwd"):  # each goes before those already there
            put(places[place], "local.yaml", host=f"{place}.example")
            assert target.find("local").host == f"{place}.example"

    def test_files_end_in_yaml_or_yml_and_give_the_name(self, places: dict[str, Path]) -> None:
        put(places["cwd"], "attic.yml")
        put(places["second"], "cellar.yaml")
        put(places["cwd"], "notes.txt")
        found = target.files()
        assert {"attic", "cellar"} < set(found)
        assert "notes" not in found
        assert target.find("attic").name == "attic"

    def test_folders_that_are_not_there_do_not_matter(
        self, places: dict[str, Path], monkeypatch: Any
    ) -> None:
        for folder in places.values():
            folder.rmdir()
        monkeypatch.setenv("EDGEGREEN_TARGETS", "/nonexistent")
        assert target.find("local").is_local

    def test_a_path_is_taken_as_it_is(self, places: dict[str, Path], tmp_path: Path) -> None:
        put(places["cwd"], "board.yaml", host="by-name.example")
        path = put(tmp_path, "board.yaml", host="by-path.example")
        assert target.find("board").host == "by-name.example"
        assert target.find(str(path)).host == "by-path.example"
        assert target.find("board.yaml").name == "board"
        assert refused("boards.yaml").hint == "did you mean board.yaml?"

    def test_a_name_that_is_unknown_brings_the_nearest_and_all(self, places: dict[str, Path]) -> None:
        put(places["first"], "kitchen-pi.yaml")
        error = refused("kitchenpi")
        assert error.message == "no target called `kitchenpi`; did you mean `kitchen-pi`?"
        for name in ("kitchen-pi", "local", "jetson", "ssh://user@host"):
            assert name in str(error.hint)
        assert "did you mean" not in refused("zzzzzzzz").message
        for odd in ("", ".", "..", "../targets/local", "/etc/passwd"):
            assert f"no target called `{odd}`" in refused(odd).message

    def test_of_hundreds_only_some_are_named(self, places: dict[str, Path]) -> None:
        for number in range(200):
            put(places["first"], f"board-{number:03}.yaml")
        error = refused("bord-117")
        assert "`board-117`" in error.message
        assert "board-000, board-001" in str(error.hint)
        assert "more (`edgegreen targets list`); or give ssh://user@host" in str(error.hint)
        assert len(str(error.hint)) < 400

    def test_a_broken_file_is_named_with_its_line(self, places: dict[str, Path]) -> None:
        (places["cwd"] / "pi.yaml").write_text("# mine\nfamly: raspberry-pi-5\nhost: pi.local\n")
        assert refused("pi").message == "targets/pi.yaml:2: unknown key `famly`; did you mean `family`?"


class TestHostNotSet:
    """The boards that come along have no address: the error says what to do."""

    def test_of_a_shipped_one(self, places: dict[str, Path]) -> None:
        path = REPO / "targets" / "jetson.yaml"
        line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if "host:" in text)
        error = refused("jetson")
        assert error.message == f"{path}:{line}: `host` is not set, so `jetson` cannot be reached"
        assert str(error.hint).startswith("copy it to ./targets/jetson.yaml and fill in that line")

    def test_of_ones_own_there_is_nothing_to_copy(self, places: dict[str, Path]) -> None:
        (places["cwd"] / "pi.yaml").write_text("family: raspberry-pi-5\n\n# host: pi5.local\n")
        error = refused("pi")
        assert error.message.startswith("targets/pi.yaml:3: ")
        assert str(error.hint).startswith("fill in that line (`host: my-board.local`)")

    def test_a_null_is_not_set_either(self, places: dict[str, Path]) -> None:
        (places["cwd"] / "pi.yaml").write_text("host:\n")
        assert refused("pi").message.startswith("targets/pi.yaml:1: `host` is not set")


ADDRESSES = {
    "ssh://pi5.local": ("pi5.local", None, None),
    "ssh://pi@pi5.local": ("pi5.local", None, "pi"),
    "ssh://pi@192.168.1.20:2222": ("192.168.1.20", 2222, "pi"),
    "ssh://board:65535/": ("board", 65535, None),
    "ssh://[::1]": ("::1", None, None),
    "ssh://pi@[2001:db8::7]:22": ("2001:db8::7", 22, "pi"),
    "ssh://[fe80::1%25eth0]:22": ("fe80::1%eth0", 22, None),  # RFC 6874
    "ssh://[fe80::1%eth0]": ("fe80::1%eth0", None, None),  # as ssh itself takes it
    "ssh://j%40lab@board": ("board", None, "j@lab"),
    "ssh://Kitchen-Pi": ("Kitchen-Pi", None, None),  # aliases of ~/.ssh/config know upper case
}


@pytest.mark.parametrize(("spec", "parts"), ADDRESSES.items(), ids=list(ADDRESSES))
def test_an_address_is_a_target_with_defaults(spec: str, parts: tuple[str, int | None, str | None]) -> None:
    found = target.find(spec)
    assert (found.host, found.port, found.user) == parts
    assert found.name == spec
    assert not found.is_local
    defaults = Target().model_dump() | {"host": parts[0], "port": parts[1], "user": parts[2]}
    assert found.model_dump() == defaults


@pytest.mark.parametrize(
    "spec",
    ["ssh://", "ssh://@board", "ssh://board:0", "ssh://board:65536", "ssh://board:x", "ssh://b:" + "9" * 5000,
     "ssh://board/root", "ssh://board?x=1", "ssh://board#x", "ssh://[::1", "ssh://::1", "ssh://a b",
     "ssh://a\nb", "ssh://b\x1b[31m", "ssh://b:²", "ssh://[board]"],
)  # fmt: skip
def test_what_is_no_address(spec: str) -> None:
    error = refused(spec)
    assert "is not ssh://[user@]host[:port]" in error.message
    assert error.message.isprintable()


def test_an_address_is_never_this_machine_without_ssh() -> None:
    assert refused("ssh://pi@local").hint == "for SSH to it: ssh://localhost"


@pytest.mark.parametrize(
    "spec",
    ["ssh://pi:hunter2@board", "ssh://pi:hunter2@board:x", "ssh://pi:hunter2@", "ssh://pi:hunter2@[::1",
     "ssh://:hunter2@board", "ssh://pi:hun/ter2@board", "ssh://pi:hun#ter2@board", "ssh://pi:hun?ter2@board",
     "ssh://pi:hun@ter2@board", "ssh://pi:hun ter2@board"],
)  # fmt: skip
def test_a_password_is_refused_and_never_repeated(spec: str) -> None:
    error = refused(spec)
    assert "a password does not belong in an address" in error.message
    assert "EDGEGREEN_PASSWORD" in str(error.hint)
    assert "hun" not in str(error)
    assert "ter2" not in str(error)


def test_a_password_is_not_repeated_either_when_it_is_no_address_at_all() -> None:
    assert refused("pi:hunter2@board").message == "no target called `pi:…@board`"


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=30) | st.from_regex(r"ssh://[a-z%@:\[\]/.0-9-]{0,20}", fullmatch=True))
def test_whatever_is_asked_for_nothing_but_input_errors_comes(spec: str) -> None:
    try:
        found = target.find(spec)
    except InputError:
        return
    assert found.host


@pytest.mark.parametrize("host", ["pi5.local", "10.0.7.31", "::1", "fe80::1%eth0", "kitchen_pi", "Küche"])
def test_hosts(host: str) -> None:
    assert yamlfile.parse(f'host: "{host}"', Target, "t.yaml").host == host


@pytest.mark.parametrize("host", ["", " ", "pi@board", "board:22", "[::1]", "ssh://board", "a b", "board/x"])
def test_no_hosts(host: str) -> None:
    with pytest.raises(InputError, match=r"^t\.yaml:1: `host`: should be a host name, an address"):
        yamlfile.parse(f'host: "{host}"', Target, "t.yaml")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("family: jetson-nan", "did you mean `jetson-nano`?"),
        ("port: 0", "should be greater than or equal to 1"),
        ("port: 65536", "should be less than or equal to 65535"),
        ("port: '22'", 'should be a whole number, not `"22"`'),
        ("runtimes: litert", "should be a list, not `litert`"),
        ("runtimes: []", "should not be empty"),
        ("runtimes: [litert, litert]", "a runtime is there twice"),
        ("runtimes: [tflite]", "should be one of litert, tflite-runtime, openvino"),
        ("python: ''", "should not be empty"),
        ("user: ''", "should not be empty"),
        ("power: auto", "`power`"),
        ("power: {meter: ina3222}", "did you mean `ina3221`?"),
        ("power: {scope: house}", "should be one of module, rail sum, package, board, wall"),
        ("power: {rails: VDD_IN}", "did you mean `rail`?"),
        ("power: {meter: shely}", "did you mean `shelly`?"),
        ("power: {meter: shelly}", "`address` is missing in `power`"),
        ("power: {meter: shelly, adress: plug}", "unknown key `power.adress`; did you mean `address`?"),
        ("power: {meter: shelly, address: plug, rail: A}", "(known here: address, channel, meter, scope)"),
        ("power: {meter: shelly, address: 'a b'}", "should be host, host:port or http://host:port"),
        ("power: {meter: tasmota, address: 'plug:70000'}", "is no address"),
        ("power: {meter: shelly, address: 'admin:hunter2@plug'}", "a password does not belong here"),
        ("power: {meter: http, url: 'file:///etc/passwd', pointer: /a}", "should be http://host[:port]/path"),
        ("power: {meter: http, url: 'http://u:hunter2@h/', pointer: /a}", "a password does not belong here"),
        ("power: {meter: http, url: 'http://h/', pointer: a}", "should be a JSON pointer (RFC 6901)"),
        ("power: {meter: http, url: 'http://h/', pointer: /~2}", "should be a JSON pointer (RFC 6901)"),
        (
            "power: {meter: command, command: watts -w}",
            "`power.command`: should be a list, the program and each "
            'argument in a place of its own: ["watts", "-w"]',
        ),
        ("power:", "`power`: nothing stands behind it; `power: {meter: auto}` takes"),
        ("power: {meter: command, command: []}", "`power.command`: should not be empty"),
        ("power: {meter: command, comand: [watts]}", "did you mean `command`?"),
        ("power: {meter: command, command: [w], timestamps: unx}", "did you mean `unix`?"),
        ("power: {meter: command, command: [w], every_s: 1, timestamps: unix}", "leave out `every_s`"),
        ("power: {meter: ppk2}", "`supply_v` is missing in `power`"),
        ("sysfs_root: ''", "should not be empty"),
        ("password: hunter2", "unknown key `password`"),
        ("name: pi", "unknown key `name`"),
    ],
)
def test_what_a_target_may_not_say(line: str, reason: str) -> None:
    with pytest.raises(InputError) as caught:
        yamlfile.parse(f"host: b\n{line}\n", Target, "t.yaml")
    assert caught.value.message.startswith("t.yaml:2: ")
    assert reason in caught.value.message
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "metered"),
    [
        ("", False),
        ("power: {meter: none}", False),
        ("power: {}", True),
        ("power: {rail: VDD_IN}", True),
        ("power: {meter: shelly, address: 10.0.0.9}", True),
    ],
)
def test_a_target_is_metered_when_it_says_so(line: str, metered: bool) -> None:
    assert yamlfile.parse(f"host: b\n{line}\n", Target, "t.yaml").is_metered == metered


def test_equal_but_for_the_name_is_not_the_same_target() -> None:
    assert Target(host="pi").called("a") != Target(host="pi").called("b")
    assert Target(host="pi").called("a") == Target(host="pi").called("a")
