"""From the agent's end to the branch in the user's repository, beside a `git fetch` of the same commits."""

from __future__ import annotations

import shutil
import time

from benchmarks.measure import Finding, Samples, call, ratio
from benchmarks.place import Place

COMMITS = (1, 100, 1_000)
PHASES = ("stop", "collect", "gates")
SCRIPT = """
{ i=0
  while [ $i -lt COUNT ]; do
    i=$((i + 1))
    printf 'commit refs/heads/%s\\ncommitter Benchmark <benchmark@localhost> %s +0000\\n' "$BRANCH" $((1790000000 + i))
    printf 'data <<END\\nCommit %s\\nEND\\n' $i
    [ $i -gt 1 ] || printf 'from %s\\n' "$(git rev-parse HEAD)"
    printf 'M 100644 inline file_%s.py\\ndata <<END\\nVALUE = %s\\nEND\\n' $((i % 50)) $i
  done
} | git fast-import --quiet
git reset --quiet --hard
"""
"""What the agent does: that many commits, each with a line of its own in one of fifty files."""


def measure_collection(place: Place, rounds: int) -> list[Finding]:
    """A finding for each number of commits; the start of a container is in all of them."""
    return [measure_commits(place, count, rounds) for count in COMMITS]


def measure_commits(place: Place, count: int, rounds: int) -> Finding:
    """The phases after the agent's end, as the result has them, and the fetch into one that lacks the branch."""
    collecting, fetching = [], []
    for number in range(rounds + 1):
        script = SCRIPT.replace("COUNT", str(count))
        result = place.run("--", "sh", "-c", f"BRANCH=$(git symbolic-ref --short HEAD); export BRANCH; {script}")
        if len(result["commits"]) != count:
            raise SystemExit(f"{len(result['commits'])} commits were collected, {count} were made")
        fetched = seconds_of_fetch(place, result["base"], result["branch"])
        if number:
            collecting.append(sum(result["timings"][phase] for phase in PHASES))
            fetching.append(fetched)
    name = f"collection of {count} commit{'s' * (count > 1)} / git fetch of the same"
    return ratio(name, Samples(collecting), Samples(fetching), None)


def seconds_of_fetch(place: Place, base: str, branch: str) -> float:
    """What the user would have waited for, had the agent worked in a repository that may be trusted."""
    clone = place.folder / "fetching"
    call("git", "init", "--quiet", "--bare", clone)
    call("git", "-C", clone, "fetch", "--quiet", place.repository, base)
    begin = time.perf_counter()
    call("git", "-C", clone, "fetch", "--quiet", place.repository, f"refs/heads/{branch}:refs/heads/{branch}")
    seconds = time.perf_counter() - begin
    shutil.rmtree(clone)
    return seconds
