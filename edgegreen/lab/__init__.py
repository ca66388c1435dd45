"""Boards of a shared lab: leased from a labgrid coordinator, given back whatever happens.

`spec.py` reads `labgrid:board=jetson`, `lease.py` holds a place, `owner.py` is the name it is held under,
`reap.py` frees what the dead still hold. Only `coordinator.py` knows labgrid, imported when it is called.
"""
