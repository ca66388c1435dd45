"""The reply of script.sh → BoardFacts: system, processor, memory, disks. Pure; nothing raises.

Heat and throttling: `conditions`. Meters, accelerators, native libraries: `devices`. Pythons: `pythons`.
"""

from __future__ import annotations

import re
from itertools import groupby

from edgegreen.probe import conditions, devices, pythons, reply
from edgegreen.probe.facts import (
    BoardFacts,
    Cpu,
    Disk,
    Dmi,
    Libc,
    Machine,
    Memory,
    Policy,
    Release,
    System,
    Tegra,
)
from edgegreen.probe.reply import Reply, number, version, whole

_TEGRA = re.compile(r"# R(\d{1,3}) \(release\), REVISION: ([\d.]{1,20})")
_COUNTED = re.compile(r"\s*(\d+)\s+([\w ]+?)\s*: ?(.*)")
# Arm's part numbers, as /proc/cpuinfo has them (implementer 0x41); the cores of boards that edgegreen knows.
_ARM_PARTS = {
    "0xd03": "Cortex-A53", "0xd04": "Cortex-A35", "0xd05": "Cortex-A55", "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72", "0xd09": "Cortex-A73", "0xd0a": "Cortex-A75", "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse-N1", "0xd40": "Neoverse-V1", "0xd42": "Cortex-A78AE", "0xd41": "Cortex-A78",
    "0xd4f": "Neoverse-V2", "0xd83": "Neoverse-V3AE",
}  # fmt: skip


def parse(output: bytes, host_s: float | None = None) -> BoardFacts:
    """What the script printed, as facts. `host_s`: this machine's clock (since 1970) when it began."""
    told = reply.read(output)
    clock_s = number(next(iter(told.lines("clock")), None))
    home, root = _disk(told, 1), _disk(told, 0)
    asked, python, every = pythons.parse(told)
    fields = told.fields("board")
    known = clock_s is not None and host_s is not None
    return BoardFacts(
        model=fields.get("model"),
        compatible=tuple(fields.get("compatible", "").split()),
        dmi=_dmi(told),
        system=_system(told),
        release=_release(told),
        tegra=_tegra(told),
        libc=_libc(told),
        machine=_machine(told),
        cpu=_cpu(told),
        memory=_memory(told),
        root=root,
        home=home,
        zones=conditions.zones(told),
        alerts=conditions.alerts(told),
        supply=conditions.supply(told),
        power_mode=conditions.power_mode(told),
        meters=devices.meters(told),
        accelerators=devices.accelerators(told),
        libedgetpu=devices.libedgetpu(told),
        intel_drivers=devices.intel_drivers(told),
        tensorrt=devices.tensorrt(told),
        python_asked=asked,
        python=python,
        pythons=every,
        clock_s=clock_s,
        clock_ahead_s=clock_s + 0.5 - host_s
        if known and clock_s is not None and host_s is not None
        else None,
        untold=told.untold,
    )


def _system(told: Reply) -> System:
    fields = told.fields("system")
    kernel = " ".join(filter(None, (fields.get("uname_s"), fields.get("uname_r"))))
    uid = whole(fields.get("uid"))
    return System(
        hostname=fields.get("uname_n"),
        kernel=kernel or None,
        machine=fields.get("uname_m"),
        bits=_one_of(whole(fields.get("bits")), 32, 64),
        packages=fields.get("packages"),
        user=fields.get("user"),
        is_root=None if uid is None else uid == 0,
        groups=tuple(fields.get("groups", "").split()),
        uptime_s=number(next(iter(fields.get("uptime", "").split()), None)),
        load_1min=number(next(iter(fields.get("load", "").split()), None)),
        has_sysfs_root={"yes": True, "no": False}.get(fields.get("root_there", "")),
    )


def _one_of(value: int | None, *allowed: int) -> int | None:
    return value if value in allowed else None


def _dmi(told: Reply) -> Dmi:
    fields = {a.name: a.text for a in told.attributes("board") if a.folder.endswith("dmi/id") and a.text}
    names = ("sys_vendor", "product_name", "product_version", "board_vendor", "board_name")
    return Dmi(*(fields.get(name) for name in names))


def _release(told: Reply) -> Release:
    fields = {key: value.strip("\"'") for key, value in told.fields("release").items()}
    return Release(
        fields.get("ID"), fields.get("VERSION_ID"), fields.get("PRETTY_NAME") or fields.get("NAME")
    )


def _tegra(told: Reply) -> Tegra | None:
    found = _TEGRA.match(" ".join(told.lines("tegra")))
    return Tegra(int(found[1]), found[2].rstrip(".")) if found else None


def _libc(told: Reply) -> Libc | None:
    fields = told.fields("libc")
    said, loader = fields.get("ldd", ""), fields.get("loader", "")
    if "glibc" in fields.get("getconf", ""):
        return Libc("glibc", version(fields["getconf"]))
    if "musl" in said:
        return Libc("musl", version(said.partition("Version")[2]))
    if re.search("glibc|gnu libc", said, re.IGNORECASE):
        return Libc("glibc", version(said.partition(")")[2]) or version(said))
    for name, sign in (("musl", "ld-musl"), ("glibc", "ld-linux"), ("uClibc", "ld-uClibc")):
        if sign in loader:
            return Libc(name)
    return None


def _machine(told: Reply) -> Machine:
    there = {attribute.name: attribute.text for attribute in told.attributes("machine")}
    detected = told.fields("machine").get("detected", "none")
    containers = ("docker", "lxc", "lxc-libvirt", "podman", "systemd-nspawn", "openvz", "rkt", "wsl", "proot")
    container = "docker" if ".dockerenv" in there else "podman" if ".containerenv" in there else None
    hypervisor = there.get("type")
    if detected in containers:
        container = detected
    elif re.fullmatch(r"[a-z][a-z0-9-]{0,30}", detected) and detected not in ("none", "container-other"):
        hypervisor = detected
    flags = whole(told.fields("cpu").get("hypervisor_flags"))
    if hypervisor is None and (flags or "hypervisor" in there):
        hypervisor = "unnamed hypervisor"
    return Machine(hypervisor, container, "qemu_fw_cfg" in there)


def _cpu(told: Reply) -> Cpu:
    """`      4 model name  : Cortex-A76`, as `uniq -c` counts the lines of /proc/cpuinfo."""
    counted = [found for found in map(_COUNTED.fullmatch, told.lines("cpu")) if found]
    models = [found[3].strip() for found in counted if found[2] == "model name" and found[3].strip()]
    parts = [_ARM_PARTS.get(found[3].strip().lower(), "") for found in counted if found[2] == "CPU part"]
    processors = sum(whole(found[1], 10_000) or 0 for found in counted if found[2] == "processor")
    online = whole(told.fields("cpu").get("online"), 10_000)
    known = (
        models if models and not models[0].startswith("ARMv") else [part for part in parts if part] or models
    )
    return Cpu(tuple(dict.fromkeys(known)), online or processors or None, _policies(told))


def _policies(told: Reply) -> tuple[Policy, ...]:
    policies = []
    for _, group in groupby(told.attributes("clocks"), key=lambda attribute: attribute.folder):
        texts = {attribute.name: attribute.text for attribute in group}
        names = ("cpuinfo_max_freq", "scaling_max_freq", "scaling_cur_freq", "scaling_min_freq")
        kilohertz = (number(texts.get(name)) for name in names)
        highest, limit, current, floor = (value / 1000 if value else None for value in kilohertz)
        governor = texts.get("scaling_governor") or None
        policies.append(Policy(governor, highest or limit, limit, current, floor))
    return tuple(policies)


def _memory(told: Reply) -> Memory:
    sizes = {}
    for line in told.lines("memory"):
        name, _, value = line.partition(":")
        kilobytes = whole(value.replace("kB", ""), 2**50)
        sizes[name] = None if kilobytes is None else kilobytes * 1024
    return Memory(*(sizes.get(name) for name in ("MemTotal", "MemAvailable", "SwapTotal", "SwapFree")))


def _disk(told: Reply, place: int) -> Disk | None:
    """The folder at this place in the section: 0 edgegreen's own, 1 the home folder."""
    disks: list[dict[str, str]] = []
    for key, value in told.pairs("disk"):
        if key == "place":
            disks.append({})
        if disks:
            disks[-1][key] = value
    if len(disks) <= place:
        return None
    fields = disks[place]
    df = re.search(r"\s(-?\d{1,18})\s+\S+%\s+(/.*)$", " " + fields.get("df", ""), re.ASCII)
    kind, _, options = fields.get("mount", "").partition(" ")
    return Disk(
        path=fields["place"],
        near=fields.get("near") or None,
        writable={"1": True, "0": False}.get(fields.get("writable", "")),
        free_bytes=max(0, int(df[1])) * 1024 if df else None,
        mount=df[2] if df else None,
        filesystem=kind or None,
        options=tuple(filter(None, options.split(","))),
    )
