"""The agent as the host knows it: started over a Transport, spoken with, its words checked and put together.

`conversation` starts it and asks; `messages` checks each event, `observed` those of its sampler (both with
the field types of `wirefields`), `readings` puts one trial's together, `diagnosis` says what a failure means.
"""

from edgegreen.client.conversation import Agent
from edgegreen.client.messages import Board, Holding
from edgegreen.client.readings import Job, RawResult

__all__ = ["Agent", "Board", "Holding", "Job", "RawResult"]
