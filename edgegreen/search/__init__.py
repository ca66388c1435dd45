"""Search: the best of many variants on one board, by Optuna, within a limit on the loss of accuracy.

Candidates are variants like those of a recipe. They are built by `convert/` and measured by a `Session`, as
`deploy` does; what is here decides which, and which of them is best. `data.py` sees to it that the
evaluation data have no part in that.
"""
