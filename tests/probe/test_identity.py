"""Which board it is, by its strings alone: products, modules on other vendors' carriers, emulators."""

from __future__ import annotations

import pytest

from edgegreen.probe import identify
from edgegreen.probe.facts import BoardFacts, Cpu, Dmi, Machine, Release, System
from edgegreen.probe.identity import Identity


def board(model: str | None = None, *compatible: str, machine: str = "aarch64", **others: object) -> Identity:
    facts = BoardFacts(model=model, compatible=compatible, system=System(machine=machine), **others)  # type: ignore[arg-type]
    return identify(facts)


@pytest.mark.parametrize(
    ("model", "compatible", "family"),
    [
        ("Raspberry Pi 5 Model B Rev 1.1", "raspberrypi,5-model-b brcm,bcm2712", "raspberry-pi-5"),
        (
            "Raspberry Pi Compute Module 5 Rev 1.0",
            "raspberrypi,5-compute-module brcm,bcm2712",
            "raspberry-pi-5",
        ),
        ("Raspberry Pi Compute Module 5 Lite Rev 1.0", "", "raspberry-pi-5"),
        ("Raspberry Pi 500 Rev 1.0", "raspberrypi,500 brcm,bcm2712", "raspberry-pi-5"),
        ("Raspberry Pi 4 Model B Rev 1.4", "", "raspberry-pi-4"),
        ("Raspberry Pi 400 Rev 1.0", "raspberrypi,400 brcm,bcm2711", "raspberry-pi-4"),
        ("Raspberry Pi Compute Module 4 Rev 1.1", "", "raspberry-pi-4"),
        ("Raspberry Pi 3 Model B Plus Rev 1.3", "", "raspberry-pi-3"),
        ("Raspberry Pi Compute Module 3 Plus Rev 1.0", "", "raspberry-pi-3"),
        ("Raspberry Pi Zero 2 W Rev 1.0", "raspberrypi,model-zero-2-w brcm,bcm2837", "raspberry-pi-zero-2w"),
        ("Raspberry Pi Zero W Rev 1.1", "raspberrypi,model-zero-w brcm,bcm2835", "linux"),
        ("Raspberry Pi 2 Model B Rev 1.1", "raspberrypi,2-model-b brcm,bcm2836", "linux"),
        ("Some Carrier", "vendor,board raspberrypi,5-compute-module brcm,bcm2712", "raspberry-pi-5"),
        ("NVIDIA Jetson Nano Developer Kit", "", "jetson-nano"),
        ("NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super", "", "jetson-orin"),
        ("NVIDIA Jetson Orin NX Engineering Reference Developer Kit", "", "jetson-orin"),
        ("NVIDIA Orin NX Developer Kit", "nvidia,p3509-0000+p3767-0000 nvidia,tegra234", "jetson-orin"),
        ("NVIDIA Jetson AGX Orin Developer Kit", "", "jetson-agx-orin"),
        ("NVIDIA Jetson AGX Thor Developer Kit", "", "jetson-thor"),
        ("NVIDIA Jetson AGX Xavier", "nvidia,p2972-0000 nvidia,tegra194", "linux"),
        ("Freescale i.MX8MQ Phanbell", "", "coral-dev"),
        ("Google i.MX8MQ Phanbell", "google,imx8mq-phanbell fsl,imx8mq", "coral-dev"),
        ("NXP i.MX8MQ EVK", "fsl,imx8mq-evk fsl,imx8mq", "linux"),
    ],
)
def test_families(model: str, compatible: str, family: str) -> None:
    assert board(model, *compatible.split()).family == family


@pytest.mark.parametrize(
    ("compatible", "family", "name"),
    [
        ("nvidia,p3768-0000+p3767-0000 nvidia,p3767-0000 nvidia,tegra234", "jetson-orin", "Orin NX 16GB"),
        (
            "nvidia,p3768-0000+p3767-0005-super nvidia,p3767-0005 nvidia,tegra234",
            "jetson-orin",
            "Orin Nano 8GB",
        ),
        ("nvidia,p3768-0000+p3767-0009 nvidia,tegra234", "jetson-orin", "Orin Nano or Orin NX"),
        ("nvidia,p3737-0000+p3701-0005 nvidia,tegra234", "jetson-agx-orin", "AGX Orin"),
        ("nvidia,p4071-0000+p3834-0008 nvidia,p3834-0008 nvidia,tegra264", "jetson-thor", "Thor"),
    ],
)
def test_a_jetson_module_on_another_vendors_carrier(compatible: str, family: str, name: str) -> None:
    found = board("Seeed reComputer", *compatible.split())
    assert (found.family, found.name) == (family, f"Seeed reComputer ({name})")
    assert board(None, *compatible.split()).name == f"Jetson {name}"


@pytest.mark.parametrize(
    ("vendor", "product", "name"),
    [
        ("LENOVO", "20XW005UGE", "LENOVO 20XW005UGE"),
        ("To Be Filled By O.E.M.", "B550M", "B550M"),
        ("System manufacturer", "Default string", "x86_64 machine"),
        (None, None, "x86_64 machine"),
    ],
)
def test_pcs(vendor: str | None, product: str | None, name: str) -> None:
    found = board(machine="x86_64", dmi=Dmi(vendor, product))
    assert (found.family, found.name) == ("x86", name)


def test_mendel_without_a_model() -> None:
    assert board(release=Release("mendel")).family == "coral-dev"
    assert board("MediaTek MT8167 Coral Dev Board Mini", release=Release("mendel")).family == "linux"


def test_what_says_nothing_is_linux() -> None:
    assert identify(BoardFacts()) == Identity("linux", "unknown machine")


class TestEmulators:
    def test_a_raspberry_pi_that_qemu_pretends_to_be(self) -> None:
        found = board("Raspberry Pi 5 Model B Rev 1.1", "linux,dummy-virt")
        assert (found.family, found.emulated) == ("raspberry-pi-5", True)

    @pytest.mark.parametrize(
        "facts",
        [
            {"machine_": Machine(fw_cfg=True)},
            {"dmi": Dmi("QEMU", "Standard PC (Q35 + ICH9, 2009)")},
            {"cpu": Cpu(("QEMU Virtual CPU version 2.5+",))},
            {"machine_": Machine(hypervisor="qemu")},
        ],
    )
    def test_signs_of_qemu(self, facts: dict[str, object]) -> None:
        machine = facts.pop("machine_", Machine())
        told = BoardFacts(system=System(machine="x86_64"), machine=machine, **facts)  # type: ignore[arg-type]
        assert identify(told).emulated

    def test_kvm_is_a_virtual_machine_and_not_an_emulator(self) -> None:
        told = BoardFacts(dmi=Dmi("QEMU", "Standard PC"), machine=Machine(hypervisor="kvm", fw_cfg=True))
        assert (identify(told).emulated, identify(told).virtual) == (False, "kvm")

    def test_a_board_is_neither(self) -> None:
        found = board("Raspberry Pi 4 Model B Rev 1.4", "raspberrypi,4-model-b", "brcm,bcm2711")
        assert (found.emulated, found.virtual) == (False, None)
