"""The exit codes are the contract of CI scripts, and errors come back whole from worker processes."""

from __future__ import annotations

import pickle
import re
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from edgegreen import errors
from edgegreen.errors import EdgegreenError

# docs of the CLI contract: 2 bad input, 3 conversion, 4 unreachable or refused, 5 on the device, 130 stopped.
CODES = {
    "EdgegreenError": 1,
    "InputError": 2,
    "ConversionError": 3,
    "UnreachableError": 4,
    "RefusedError": 4,
    "DeviceError": 5,
    "Interrupted": 130,
}
KINDS = [
    kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, EdgegreenError)
]


def test_every_error_has_the_exit_code_of_the_contract() -> None:
    assert {kind.__name__: kind.exit_code for kind in KINDS} == CODES


def test_a_refusal_is_handled_wherever_an_unreachable_target_is() -> None:
    assert issubclass(errors.RefusedError, errors.UnreachableError)


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = errors.__doc__ or ""
    for kind in KINDS:
        code = rf"\s+{kind.exit_code}\b" if kind is not EdgegreenError else "$"
        assert re.search(rf"(?m)\b{kind.__name__}{code}", drawn)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_survives_pickling_whole(kind: type[EdgegreenError]) -> None:
    back = pickle.loads(pickle.dumps(kind("what and where", hint="do this", transient=True)))
    assert type(back) is kind
    assert (back.message, back.hint, back.transient) == ("what and where", "do this", True)


def fail() -> None:
    raise errors.ConversionError("it computes something else", hint="try `quantizer: tensorflow`")


def test_an_error_comes_back_from_another_process() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        with pytest.raises(errors.ConversionError) as caught:
            pool.submit(fail).result()
        assert caught.value.hint == "try `quantizer: tensorflow`"


def test_text_is_the_message_and_then_the_hint() -> None:
    assert str(EdgegreenError("broken")) == "broken"
    assert str(EdgegreenError("broken", hint="mend it")) == "broken\n  → mend it"
