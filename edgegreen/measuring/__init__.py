"""One target's share of a run: from a board that is reached to readings that are judged."""
