"""What went over a Transport, kept in a file, and played back later without the board.

`recorder` stands around any Transport and writes down what is asked and answered; `replay` is a Transport
that answers from such a file. `records` are the lines of the file, `tape` the file, `likeness` says when two
requests are the same one, and leaves out of a recording what is nobody's business.

    edgegreen deploy recipe.yaml --target pi5 --record recordings      writes recordings/pi5/….jsonl.gz
    edgegreen deploy recipe.yaml --target replay:recordings            no board needed; every row is marked

The board's words are played back as they came; building, checking, scoring and judging happen anew.
"""

from edgegreen.transport.recording.recorder import Recorder
from edgegreen.transport.recording.replay import PREFIX, ReplayTransport, boards_in, replayed

__all__ = ["PREFIX", "Recorder", "ReplayTransport", "boards_in", "replayed"]
