"""What a model costs by its graph alone: MACs, bytes, an estimate of energy, and what passes could win.

Pure arithmetic over `graph.Node`s, which `sources/` reads from every format. Nothing here is measured, and
nothing measured comes in here: energy on a board is `metering`'s.
"""
