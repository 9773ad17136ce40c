"""`python -m tests.soak --runs 300`: exit code 1, and a list, when something went wrong or was left."""

from __future__ import annotations

import argparse
import sys
import time

from tests.conftest import connect
from tests.soak.soak import Soak, in_a_folder_of_its_own, seed_of_now


def main() -> int:
    """Soak, and tell."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--at-once", type=int, default=3)
    parser.add_argument("--seed", type=int, default=seed_of_now(), help="of an earlier soak, to have its runs again")
    words = parser.parse_args()
    print(f"seed {words.seed}", flush=True)  # noqa: T201 - a program of the terminal
    begin, client = time.monotonic(), connect()
    asked = Soak(runs=words.runs, at_once=words.at_once, seed=words.seed, say=lambda text: print(text, flush=True))  # noqa: T201
    wrong = in_a_folder_of_its_own(asked, client)
    client.close()
    for line in wrong:
        print(f"wrong: {line}", file=sys.stderr)  # noqa: T201
    seconds = time.monotonic() - begin
    print(f"{words.runs} runs in {seconds:.0f} s, {len(wrong)} things wrong (seed {words.seed})")  # noqa: T201
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
