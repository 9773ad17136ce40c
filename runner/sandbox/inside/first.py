"""What a sandbox's first process is told to run: `shim.py`, as a module.

Python compiles the program that it is given every time, and finds a module compiled already (`__pycache__`).
"""

import sys

if __name__ == "__main__":
    sys.path.insert(0, __file__.rpartition("/")[0])
    sys.exit(__import__("shim").main(sys.argv[1:]))
