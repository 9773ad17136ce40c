"""Attacks on what reads Paddock's output along: commands to a CI system, in everything that a run prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.cli import Paddock
from tests.unit.cli.test_ci_commands import obeyed

pytestmark = pytest.mark.docker

COMMANDS = """
echo '::add-mask::x'; printf '  \\302\\240::set-env name=PATH::/x\\n'
echo 'x ##vso[task.setvariable variable=PATH]/x' >&2
printf '##team'; sleep 0.3; printf 'city[setParameter]\\r::stop-commands::x\\n'; echo '##[add-path]/x'
echo work > 'name ##vso[path]'
git add -A && git commit -qm '##vso[subject]' --author '##vso[author] <a@example.com>'
"""


@pytest.mark.parametrize("variable", ["GITHUB_ACTIONS", "TF_BUILD", "TEAMCITY_VERSION"])
def test_what_a_run_prints_holds_no_command_to_the_system_that_reads_along(
    variable: str, paddock: Paddock, repository: Path
) -> None:
    open_setup = paddock("run", repository, "--name", "open", "--", "sh", "-c", COMMANDS)
    assert len(obeyed(open_setup.out.encode())) >= 4, "nobody reads along: it stays as it is"
    assert len(obeyed(open_setup.err.encode())) >= 1

    paddock.variables = {variable: "true"}
    done = paddock("run", repository, "--name", "read", "--", "sh", "-c", COMMANDS)
    run = next(path.name for path in (paddock.state / "runs").iterdir() if "-read-" in path.name)
    looked = [paddock(*words, run) for words in (("show",), ("show", "--json"), ("logs",))]

    assert done.code == 0
    assert "add-mask" in done.out
    for each in (done, paddock("ps", "-a"), *looked):
        assert obeyed(f"{each.out}\n{each.err}".encode()) == []
    assert any(r"##vso\u005bsubject]" in each.out for each in looked), "the document is the same"
    assert "name ##vso[path]" in paddock("diff", run).out, "a patch stays whole"
