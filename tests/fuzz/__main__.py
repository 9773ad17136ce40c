"""`make fuzz`: tries handouts of a hostile collector for FUZZ_SECONDS; fails with the example that gets through.

python -m tests.fuzz [SECONDS [SEED]]
"""

from __future__ import annotations

import secrets
import sys
import time

from hypothesis import seed

from tests.fuzz.host_path import fuzz

EXAMPLES = 100


def main(seconds: float, first: int) -> int:
    """Rounds of handouts, each from a seed of its own that is printed, until the time is over."""
    until, number = time.monotonic() + seconds, first
    while number == first or time.monotonic() < until:
        sys.stdout.write(f"seed {number}: {EXAMPLES} handouts\n")
        sys.stdout.flush()
        seed(number)(fuzz(EXAMPLES))()
        number += 1
    sys.stdout.write(f"{EXAMPLES * (number - first)} handouts, each with a verdict\n")
    return 0


if __name__ == "__main__":
    words = sys.argv[1:]
    sys.exit(main(float(words[0]) if words else 300.0, int(words[1]) if words[1:] else secrets.randbelow(10**6)))
