"""Whole runs with a network: what is allowed works without any setting inside, and everything else is on the record."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.egress.gateway import Gateway
from runner.model.result import Outcome
from tests.integration.internet import PUBLIC, Internet, web_server
from tests.integration.library import Library

POLICY = """\
extends = "offline"
[network]
mode = "allow"
allow = ["web.test:80"]
"""
ASK = """\
curl -sS -m 10 http://web.test/one > answer.txt
curl -sS -m 10 http://other.test/ 2> denied.txt && exit 9
curl -sS -m 10 http://web.test:8080/ 2>> denied.txt && exit 9
git add -A && git commit -qm "What the network said"
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    file = tmp_path / "policy.toml"
    file.write_text(POLICY)
    return file


def test_an_allowed_name_is_reached_and_another_is_a_denial_in_the_result(
    library: Library, repository: Path, policy: Path
) -> None:
    internet = Internet()
    with web_server() as port:
        internet.serve("web.test", 80, port)
        result = library.run(repository, ASK, policy=policy, outside=internet.outside())
    assert (result.outcome, result.agent_exit_code) == (Outcome.COMPLETED, 0)
    assert "you asked web.test for /one" in Path(result.paths["diff"]).read_text()
    assert [(row.name, row.port, row.reason) for row in result.denials] == [("other.test", None, "not-listed")]
    assert internet.dialled == [(PUBLIC, 80)]
    assert 0 < (result.limits["upload"].peak or 0) < 1000
    assert result.leaks == ()


def test_mode_open_reaches_any_public_name_and_no_private_one(
    library: Library, repository: Path, tmp_path: Path
) -> None:
    policy = tmp_path / "open.toml"
    policy.write_text('extends = "offline"\n[network]\nmode = "open"\n')
    internet = Internet({"inside.test": "10.0.0.7"})
    with web_server() as port:
        internet.serve("anything.test", 80, port)
        script = "curl -sS -m 10 http://anything.test/ || exit 8; curl -sS -m 10 http://inside.test/ && exit 9; exit 0"
        result = library.run(repository, script, policy=policy, outside=internet.outside())
    assert result.outcome is Outcome.NO_CHANGES
    assert [(row.name, row.reason) for row in result.denials] == [("inside.test", "address: private")]
    assert internet.dialled == [(PUBLIC, 80)]


def test_a_gateway_that_dies_ends_the_run_and_the_work_is_collected(
    library: Library, repository: Path, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Gateway, "failed", property(lambda _: "the gateway ended: a test said so"))
    result = library.run(repository, "echo half > half.txt; sleep 60", policy=policy)
    assert (result.outcome, result.reason) == (Outcome.ENGINE_FAILED, "the gateway ended: a test said so")
    assert (result.uncommitted_collected, result.leaks) == (True, ())


def test_an_unknown_group_refuses_the_run_before_anything_starts(
    library: Library, repository: Path, tmp_path: Path
) -> None:
    policy = tmp_path / "group.toml"
    policy.write_text('extends = "offline"\n[network]\nmode = "allow"\nallow = ["@nobody"]\n')
    with pytest.raises(Exception, match="no group is called @nobody") as caught:
        library.run(repository, policy=policy)
    assert type(caught.value).__name__ == "PolicyError"
