"""The device side: a package zipped and run on the board. Python 3.7+, standard library only.

Nothing here imports the rest of edgegreen. The host imports a few of these modules too (wire words,
npz reader, runtimes), so that both ends do the same thing by the same code.
"""
