"""A Jetson's `nvpmodel` for a PATH, which prints what recorded ones do.

What it printed on boards: `-q` with and without the rights to read all it wants; a mode that takes a reboot,
declined; a mode that is not there; a change without rights. Its own state is two files beside it: `mode`, and
`asked`, its command lines so far.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CONF = """\
< PARAM TYPE=FILE NAME=CPU_ONLINE >
CORE_0 /sys/devices/system/cpu/cpu0/online

< POWER_MODEL ID=0 NAME=15W >
CPU_ONLINE CORE_0 1

< POWER_MODEL ID=1 NAME=25W >
CPU_ONLINE CORE_0 1

< POWER_MODEL ID=2 NAME=MAXN_SUPER >
CPU_ONLINE CORE_0 1

< PM_CONFIG DEFAULT=1 >
"""
SCRIPT = r"""#!/bin/sh
here={folder}
echo "$*" >> "$here/asked"
name() {{ case $1 in 0) echo 15W;; 1) echo 25W;; 2) echo MAXN_SUPER;; *) echo unknown;; esac; }}
case $1 in
-q)
    echo "NV Power Mode: $(name "$(cat "$here/mode")")"
    cat "$here/mode"
    echo "NVPM ERROR: Error opening /sys/kernel/nvpmodel_emc_cap/emc_iso_cap: 13"
    echo "NVPM ERROR: failed to read PARAM EMC: ARG MAX_FREQ: PATH /sys/kernel/nvpmodel_emc_cap/emc_iso_cap"
    exit 0;;
-m)
    case " {reboot} " in
    *" $2 "*)
        echo "NVPM WARN: Golden image context is already created"
        echo "NVPM WARN: Reboot required for changing to this power mode: $2"
        echo "NVPM WARN: DO YOU WANT TO REBOOT NOW? enter YES/yes to confirm:"
        read -r answer
        case $answer in YES|yes) echo "NVPM WARN: rebooting"; echo "$2" > "$here/rebooted"; exit 0;; esac
        echo "NVPM ERROR: bad input!"
        echo "NVPM ERROR: optMask is 1, no request for power mode"
        exit 255;;
    esac
    case " {denied} " in
    *" $2 "*)
        echo "NVPM ERROR: Error opening /sys/devices/system/cpu/cpu0/online: 13"
        echo "NVPM ERROR: failed to write PARAM CPU_ONLINE: ARG CORE_0"
        echo "NVPM ERROR: failed to set power mode!"
        exit 0;;
    esac
    echo "$2" > "$here/mode.new"; mv "$here/mode.new" "$here/mode"
    exit 0;;
esac
exit 255
"""


@dataclass(frozen=True)
class Nvpmodel:
    """The command in `folder`; `mode` is the one that is set."""

    folder: Path

    @property
    def mode(self) -> int:
        return int((self.folder / "mode").read_text())

    @property
    def rebooted(self) -> bool:
        return (self.folder / "rebooted").exists()

    @property
    def asked(self) -> list[str]:
        """Its command lines so far."""
        return (self.folder / "asked").read_text().splitlines()


def install(
    folder: Path, root: Path, mode: int = 1, reboot: Sequence[int] = (), denied: Sequence[int] = ()
) -> Nvpmodel:
    """Put the command in `folder` and its list of modes below `root`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mode").write_text(f"{mode}\n")
    program = folder / "nvpmodel"
    program.write_text(
        SCRIPT.format(folder=folder, reboot=" ".join(map(str, reboot)), denied=" ".join(map(str, denied)))
    )
    program.chmod(0o755)
    (root / "etc").mkdir(parents=True, exist_ok=True)
    (root / "etc" / "nvpmodel.conf").write_text(CONF)
    return Nvpmodel(folder)


class Governors:
    """A tree below `root` with two frequency policies, as a board has whose cores are of two kinds."""

    def __init__(self, root: Path, own: str = "schedutil", boot: str = "boot-1") -> None:
        self.root = root
        for policy in ("policy0", "policy4"):
            folder = root / "sys/devices/system/cpu/cpufreq" / policy
            folder.mkdir(parents=True)
            (folder / "scaling_available_governors").write_text("performance powersave schedutil \n")
            (folder / "scaling_governor").write_text(own + "\n")
        self.reboot(boot)

    def reboot(self, boot: str) -> None:
        """Have the kernel tell of another boot."""
        path = self.root / "proc/sys/kernel/random/boot_id"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(boot + "\n")

    def path(self, policy: str = "policy0") -> Path:
        return self.root / "sys/devices/system/cpu/cpufreq" / policy / "scaling_governor"

    @property
    def now(self) -> list[str]:
        """The governor of each policy."""
        return [self.path(policy).read_text().strip() for policy in ("policy0", "policy4")]
