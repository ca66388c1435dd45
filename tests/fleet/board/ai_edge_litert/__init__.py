"""A stand-in for LiteRT on the boards of these tests: it waits instead of computing. Not in edgegreen."""
