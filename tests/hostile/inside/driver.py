"""Runs several attacks one after the other in one container: `NAME|LINE` for each line that they print.

One argument for each attack, since the kernel takes no argument of more than 128 KiB.
"""

import json
import subprocess
import sys

for name, argv in map(json.loads, sys.argv[1:]):
    try:
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20, check=False)
        output = done.stdout
    except subprocess.TimeoutExpired as error:
        output = (error.stdout or b"") + b"\ntimed out\n"
    for line in output.decode("utf-8", "backslashreplace").splitlines():
        print(f"{name}|{line}", flush=True)
