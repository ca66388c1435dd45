"""TensorRT through `trtexec`, the program that comes with it: builds engines there, runs and times them.

program.py finds it and asks what it can; engines.py builds and keeps; process.py runs it to its end; log.py
and exports.py read what it prints and writes, and are pure. The runtime itself is `runtimes/tensorrt.py`.
"""
