"""What a runtime can be asked to run a model on: told by the recipe, checked on both ends."""

from __future__ import annotations

import re
from typing import NamedTuple


class Devices(NamedTuple):
    """`pattern` is what a device's name matches from end to end; `words` say so to people."""

    pattern: str
    words: str

    def have(self, name: str) -> bool:
        """Whether there is a device of this name, as far as its runtime is concerned."""
        return re.fullmatch(self.pattern, name) is not None


def named(*names: str) -> Devices:
    """Those that have a name each."""
    return Devices("|".join(names), ", ".join(names))


NONE = Devices(r"(?!)", "none")
OPENVINO = named("CPU", "GPU", "NPU", "AUTO")
ONNXRUNTIME = named("AUTO", "CPU", "CUDA", "TENSORRT")
EDGETPU = Devices(r"(usb|pci|(?=:))(:\d{1,2})?", "usb, pci, or one by its number, such as usb:1")
