"""`python -m edgegreen`."""

from edgegreen.cli import main

if __name__ == "__main__":
    main()
