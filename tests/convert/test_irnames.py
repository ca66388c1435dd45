"""The same model gives the same IR, whatever the process made before it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from places import REPO

from edgegreen.convert import irnames

MODEL = REPO / "tests" / "fixtures" / "models" / "two_in_two_out.tflite"


def test_made_up_names_leave_no_trace_of_what_was_made_before(tmp_path: Path) -> None:
    import openvino as ov

    digests, names = [], []
    for number in range(2):
        model = ov.Core().read_model(MODEL)
        ports = [port.get_names() for port in (*model.inputs, *model.outputs)]
        before = [one.get_friendly_name() for one in model.get_ordered_ops()]
        irnames.number_anew(model)
        after = [one.get_friendly_name() for one in model.get_ordered_ops()]
        assert len(set(after)) == len(set(before)) == len(after)
        assert [port.get_names() for port in (*model.inputs, *model.outputs)] == ports
        path = tmp_path / f"{number}.xml"
        ov.save_model(model, path)
        digests.append(hashlib.sha256(path.read_bytes()).hexdigest())
        names.append(before)
    assert names[0] != names[1]  # or there would be nothing to do
    assert digests[0] == digests[1]
