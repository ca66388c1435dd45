"""Boards of a shared lab: leased from a labgrid coordinator, given back whatever happens.

`spec.py` reads `labgrid:board=jetson`; `lease.py` lends a place, and another when that is of no use:
`candidates.py` are those that fit, `turn.py` queues up for one, `hold.py` keeps it, `reach.py` says how to
get there, `power.py` switches it. `owner.py` is the name it is held under, `reap.py` frees what the dead
still hold. `line.py` goes through `coordinator.py`, which alone knows labgrid (with `messages.py`), imported
when it is called.
"""
