"""`gh` and `glab` as tests have them: programs that keep requests in a file, and note how they were started."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path
from typing import Any

PROGRAM = """\
#!{python}
import json, os, pathlib, re, sys, urllib.parse
folder = pathlib.Path({folder!r})
argv, words = sys.argv[1:], sys.stdin.read()
with (folder / "started").open("a") as log:
    tokens = [name for name in os.environ if "TOKEN" in name]
    log.write(json.dumps([pathlib.Path(sys.argv[0]).name, argv, words, os.getcwd(), tokens]) + "\\n")
if (folder / "refuses").exists():
    print((folder / "refuses").read_text())
    sys.exit("gh: Validation Failed (HTTP 422)")
path, _, query = argv[3].partition("?")
asked = dict(urllib.parse.parse_qsl(query))
file = folder / "requests"
known = json.loads(file.read_text()) if file.exists() else []
gitlab = path.startswith("projects/")
if argv[2] == "--method=GET":
    branch = asked["source_branch"] if gitlab else asked["head"].partition(":")[2]
    found = [each for each in known if each["path"] == path and each["branch"] == branch]
    print(json.dumps([each["answer"] for each in found]))
else:
    said = json.loads(words)
    url = "https://%s/%d" % (urllib.parse.unquote(path), len(known) + 1)
    answer = {{"html_url": url, "web_url": url, "state": "opened" if gitlab else "open"}}
    answer.update(sha="0", head={{"sha": "0"}}, source_project_id=1, target_project_id=1)
    branch = said["source_branch"] if gitlab else said["head"]
    file.write_text(json.dumps([*known, {{"path": path, "branch": branch, "answer": answer}}]))
    print(json.dumps(answer))
"""


class Programs:
    """Both programs, and what they were asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir(parents=True)
        for name in ("gh", "glab"):
            file = self.bin / name
            file.write_text(PROGRAM.format(python=sys.executable, folder=str(folder)))
            file.chmod(file.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)

    @property
    def started(self) -> list[tuple[str, list[str], str, str, list[str]]]:
        """Each start: program, argv, standard input, folder, and the names of variables with tokens."""
        log = self.folder / "started"
        return [tuple(json.loads(line)) for line in log.read_text().splitlines()] if log.exists() else []

    @property
    def opened(self) -> list[dict[str, Any]]:
        """What each request that was opened says."""
        return [json.loads(words) for _, _, words, _, _ in self.started if words]

    def refuse(self, answer: str) -> None:
        """From here on everything is refused, with that answer."""
        (self.folder / "refuses").write_text(answer)

    def change(self, number: int, **details: object) -> None:
        """Somebody changed a request, by its number from 1."""
        file = self.folder / "requests"
        known = json.loads(file.read_text())
        known[number - 1]["answer"].update(details)
        file.write_text(json.dumps(known))
