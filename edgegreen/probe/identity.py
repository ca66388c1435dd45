"""Which board it is, by what it says of itself. Pure.

A model string names a product, not always its maker's module: a Compute Module 5 does not contain "Pi 5",
and Jetson carriers of other vendors have names of their own. So the compatible strings come first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgegreen.probe.facts import BoardFacts
from edgegreen.target import Family


@dataclass(frozen=True)
class Identity:
    """A board in words. `family` is what a target file says; `linux` where edgegreen knows no better."""

    family: Family
    name: str
    soc: str | None = None
    emulated: bool = False
    """QEMU computes its processor, or pretends to be its hardware: no figure from here is a board's."""
    virtual: str | None = None
    """The hypervisor under a virtual machine that is not emulated."""


# Systems on chip by the compatible string of the SoC, most of them the last one of a device tree.
SOCS = {
    "brcm,bcm2712": "BCM2712",
    "brcm,bcm2711": "BCM2711",
    "brcm,bcm2837": "BCM2837",
    "brcm,bcm2836": "BCM2836",
    "brcm,bcm2835": "BCM2835",
    "nvidia,tegra264": "Tegra264 (Thor)",
    "nvidia,tegra234": "Tegra234 (Orin)",
    "nvidia,tegra194": "Tegra194 (Xavier)",
    "nvidia,tegra186": "Tegra186 (TX2)",
    "nvidia,tegra210": "Tegra210 (X1)",
    "fsl,imx8mq": "i.MX 8M Quad",
    "fsl,imx8mp": "i.MX 8M Plus",
    "rockchip,rk3588": "RK3588",
}
# Jetson modules, which tell the family on any vendor's carrier (Jetson Linux: board ids; kernel bindings).
MODULES: dict[str, tuple[Family, str]] = {
    "p3767-0000": ("jetson-orin", "Orin NX 16GB"),
    "p3767-0001": ("jetson-orin", "Orin NX 8GB"),
    "p3767-0003": ("jetson-orin", "Orin Nano 8GB"),
    "p3767-0004": ("jetson-orin", "Orin Nano 4GB"),
    "p3767-0005": ("jetson-orin", "Orin Nano 8GB"),
    "p3767": ("jetson-orin", "Orin Nano or Orin NX"),
    "p3701": ("jetson-agx-orin", "AGX Orin"),
    "p3834": ("jetson-thor", "Thor"),
    "p3448": ("jetson-nano", "Nano"),
    "p3450": ("jetson-nano", "Nano"),
    "jetson-nano": ("jetson-nano", "Nano"),
}
PI_BY_SOC: dict[str, Family] = {"brcm,bcm2712": "raspberry-pi-5", "brcm,bcm2711": "raspberry-pi-4"}
PI_BY_NUMBER: dict[str, Family] = {"3": "raspberry-pi-3", "4": "raspberry-pi-4", "5": "raspberry-pi-5"}
# `Raspberry Pi 4 Model B`, `Pi 400`, `Pi 500`, `Compute Module 5`; not the Zero, not a Pi 2.
_PI = re.compile(r"Raspberry Pi (?:Compute Module )?([345])(?:00)?(?!\d)")
JETSON_BY_MODEL: tuple[tuple[str, Family], ...] = (
    ("Thor", "jetson-thor"),
    ("AGX Orin", "jetson-agx-orin"),
    ("Orin N", "jetson-orin"),
    ("Jetson Nano", "jetson-nano"),
)
_FILLER = re.compile(r"o\.e\.m\.|default string|system manufacturer|system product", re.IGNORECASE)
_X86 = re.compile(r"x86_64|amd64|i[3-6]86")
# Hypervisors as systemd-detect-virt names them, that run guests on the processor itself.
_QEMU = re.compile(r"qemu|bochs", re.IGNORECASE)


def identify(facts: BoardFacts) -> Identity:
    """What board told these facts."""
    family = _pi(facts) or _jetson(facts) or _coral(facts) or _pc(facts) or "linux"
    soc = next((SOCS[text] for text in facts.compatible if text in SOCS), None)
    emulated = _is_emulated(facts)
    virtual = None if emulated else facts.machine.hypervisor
    return Identity(family, _name(facts), soc, emulated, virtual)


def _pi(facts: BoardFacts) -> Family | None:
    model = facts.model or ""
    ours = any(text.startswith("raspberrypi,") for text in facts.compatible)
    if not ours and not model.startswith("Raspberry Pi"):
        return None
    if "Zero 2" in model or "raspberrypi,model-zero-2-w" in facts.compatible:
        return "raspberry-pi-zero-2w"
    numbered = _PI.match(model)
    if numbered:
        return PI_BY_NUMBER[numbered[1]]
    return next((PI_BY_SOC[text] for text in facts.compatible if text in PI_BY_SOC), None)


def module(facts: BoardFacts) -> tuple[Family, str] | None:
    """The Jetson module among the compatible strings: its family and its name."""
    joined = " ".join(text for text in facts.compatible if text.startswith("nvidia,"))
    return next((known for key, known in MODULES.items() if re.search(rf"\b{key}\b", joined)), None)


def _jetson(facts: BoardFacts) -> Family | None:
    found = module(facts)
    if found:
        return found[0]
    model = facts.model or ""
    tegra = any(text.startswith("nvidia,tegra") for text in facts.compatible)
    if not tegra and not model.startswith("NVIDIA"):
        return None
    if "nvidia,tegra264" in facts.compatible:
        return "jetson-thor"
    return next((family for words, family in JETSON_BY_MODEL if words in model), None)


def _coral(facts: BoardFacts) -> Family | None:
    names = (facts.model or "", *facts.compatible)
    if any("phanbell" in name.lower() for name in names):
        return "coral-dev"
    # Mendel runs on the Dev Board Mini too, which is another board.
    return "coral-dev" if facts.release.id == "mendel" and facts.model is None else None


def _pc(facts: BoardFacts) -> Family | None:
    return "x86" if _X86.fullmatch(facts.system.machine or "") else None


def _name(facts: BoardFacts) -> str:
    found, dmi = module(facts), facts.dmi
    if facts.model and found and found[1].split()[0] not in facts.model:
        return (
            f"{facts.model} ({found[1]})"  # a vendor's carrier says who built it, not which module is in it
        )
    if facts.model or found:
        return facts.model or f"Jetson {found[1] if found else ''}"
    parts = [text for text in (dmi.vendor, dmi.product) if text and not _FILLER.search(text)]
    return " ".join(dict.fromkeys(parts)) or f"{facts.system.machine or 'unknown'} machine"


def _is_emulated(facts: BoardFacts) -> bool:
    """QEMU's own device tree, or its hardware under a PC that does not say that KVM runs it."""
    if "linux,dummy-virt" in facts.compatible:
        return True
    signs = (facts.dmi.vendor, facts.dmi.product, *facts.cpu.models, facts.machine.hypervisor)
    is_qemu = facts.machine.fw_cfg or any(_QEMU.search(sign or "") for sign in signs)
    return is_qemu and facts.machine.hypervisor != "kvm"
