"""Runs under a repository's policy and a ceiling: tightened by both, and told by file and digest."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.errors import PolicyError, RefusedError, RepositoryError, UsageError
from runner.model.policy import Policy
from runner.model.policy_file import digest_of
from runner.model.request import Request
from runner.model.result import Outcome, RunResult
from runner.repo.own_policy import PLACE
from runner.repo.source import inspect_source
from runner.run.execute import run_task
from runner.run.host import Host
from runner.run.prepare import plan_request
from runner.run.repo_image import repository_of
from runner.run.rounds import run_rounds, task_to_continue
from runner.sandbox.fake import FakeBox
from runner.store.runs import run_paths
from runner.store.trust import Trusted, add_trust
from tests.unit.run.fake_host import FakeHost, git
from tests.unit.run.model_agent import ModelHost
from tests.unit.run.test_rounds import failing, loop, working

WIDER = """\
[network]
mode = "open"
[limits]
memory = "64GiB"
pids = 4096
[sandbox]
env = { EVIL = "1" }
writable_root = true
[[caches]]
name = "evil"
target = "/evil"
"""


class Place:
    """A host with a trust file and perhaps a ceiling, and a repository that brings a policy."""

    def __init__(self, fake: FakeHost, folder: Path) -> None:
        self.fake = fake
        self.trust = folder / "config" / "trusted.json"
        self.ceiling = folder / "ceiling.toml"

    @property
    def host(self) -> Host:
        ceilings = (self.ceiling,) if self.ceiling.exists() else ()
        return replace(self.fake.host(), trust=self.trust, ceilings=ceilings)

    def bring(self, text: str, path: str = PLACE) -> str:
        file = self.fake.repository / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        git(self.fake.repository, "add", "--all")
        git(self.fake.repository, "commit", "--quiet", "--message", f"bring {path}")
        return git(self.fake.repository, "rev-parse", "HEAD")

    def trusted(self, text: str) -> None:
        source = inspect_source(str(self.fake.repository), effective_uid=self.host.user.uid)
        add_trust(
            self.trust,
            Trusted(
                repository=repository_of(self.fake.task(), source),
                what="policy",
                digest=digest_of(text.encode()),
                origin=PLACE,
                at="now",
            ),
        )

    def plan(self, **details: Any) -> Request:
        return plan_request(self.fake.task(**details), self.host)

    def effective(self, **details: Any) -> Policy:
        return self.plan(**details).policy

    def refused(self, kind: type[Exception] = RefusedError, **details: Any) -> str:
        with pytest.raises(kind) as planned:
            self.plan(**details)
        with pytest.raises(kind) as caught:
            run_task(self.fake.task(**details), self.host)
        assert not (self.fake.state / "runs").exists(), "nothing was started"
        assert self.fake.engine.boxes == {}
        error: Any = caught.value
        assert str(planned.value) == str(error)
        return f"{error.message} {error.hint}"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(FakeHost(tmp_path), tmp_path)


# Tightening


def test_a_repository_tightens_and_the_run_tells_by_which_file(place: Place) -> None:
    text = "[limits]\npids = 7\n"
    commit = place.bring(text)
    result = run_task(place.fake.task(), place.host)
    assert result.limits["pids"].granted == 7
    [_preset, own] = result.policy_files
    assert (own.role, own.file, own.commit, own.digest) == ("repository", PLACE, commit, digest_of(text.encode()))
    paths = run_paths(place.fake.state, result.id)
    assert json.loads(paths.policy.read_text())["limits"]["pids"] == 7
    assert json.loads(paths.policy_files.read_text())["files"][1]["digest"] == own.digest
    recorded = json.loads(paths.record.read_text())["predicate"]["policy"]
    assert (recorded["files"][1]["digest"], recorded["document"]["limits"]["pids"]) == (own.digest, 7)
    assert [notice for notice in result.notices if "tightens limits.pids" in notice] != []


def test_the_users_word_leaves_it_out(place: Place) -> None:
    place.bring("[limits]\npids = 7\n")
    assert place.effective(repo_policy=False).limits.pids == 512
    result = run_task(place.fake.task(repo_policy=False), place.host)
    assert [file.role for file in result.policy_files] == ["policy"]


def test_one_that_would_widen_everything_changes_nothing(place: Place) -> None:
    before = place.plan()
    place.bring(WIDER)
    after = place.plan()
    assert after.policy == before.policy
    assert (after.environment, after.mounts) == (before.environment, before.mounts)


HOSTILE = {
    ".Paddock/policy.toml": WIDER,
    ".paddock/Policy.toml": WIDER,
    ".paddock.toml": WIDER,
    "paddock.toml": WIDER,
    "policy.toml": WIDER,
    "offline": WIDER,
    "offline.toml": WIDER,
    "policies/offline.toml": WIDER,
    "config.toml": 'policy = "open"\nstate_dir = "/tmp/elsewhere"\n',
    ".paddock/config.toml": 'agent = "claude"\nengine = "unix:///evil.sock"\n',
    ".paddock/ceiling.toml": WIDER,
    ".paddock/trusted.json": "{}",
    ".paddock/groups.toml": '[groups]\ngithub = ["evil.test"]\n',
    ".env": "PADDOCK_POLICY=open\nPADDOCK_IMAGE=evil\n",
    ".gitattributes": "* filter=evil export-subst\n",
    "pyproject.toml": "[tool.paddock]\npolicy = 'open'\n",
    "runner.py": "raise SystemExit('imported')\n",
    "sitecustomize.py": "raise SystemExit('imported')\n",
}


def test_nothing_else_in_a_repository_steers(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.bring("# the same commits in both\n", "README")
    before = place.plan()
    repository = place.fake.repository
    for path, text in HOSTILE.items():
        place.bring(text, path)
    for name in ("--policy=open", "-x", "@{-1}x"):
        head = git(repository, "rev-parse", "HEAD")
        (repository / ".git/packed-refs").write_text(f"# pack-refs with: peeled\n{head} refs/heads/{name}\n")
    canary = repository / "canary"
    for key in ("core.fsmonitor", "core.sshCommand", "core.pager", "alias.ls-tree", "alias.cat-file", "core.hooksPath"):
        git(repository, "config", key, f"!touch {canary}")
    git(repository, "config", "paddock.policy", "open")
    monkeypatch.chdir(repository)
    after = place.plan()
    changing = {"run", "places", "mounts"}
    assert after.model_dump(exclude=changing) == before.model_dump(exclude=changing)
    assert [(mount.target, mount.mode) for mount in after.mounts] == [
        (each.target, each.mode) for each in before.mounts
    ]
    assert not canary.exists()


def test_one_that_cannot_be_used_is_refused_before_anything_starts(place: Place) -> None:
    commit = place.bring("\n[limits]\nmemroy = '1GiB'\n")
    message = place.refused(PolicyError)
    assert f"{PLACE}:3 at {commit[:12]}: limits.memroy" in message
    assert "--no-repo-policy" in message
    assert place.effective(repo_policy=False).limits.pids == 512


def test_a_link_in_its_place_is_refused_before_anything_starts(place: Place) -> None:
    (place.fake.repository / ".paddock").symlink_to("/etc/paddock")
    git(place.fake.repository, "add", "--all")
    git(place.fake.repository, "commit", "-q", "-m", "link")
    assert "symbolic link" in place.refused(RepositoryError)


def test_a_group_that_nobody_defines_is_told_with_its_file(place: Place) -> None:
    place.bring("[network]\nmode = 'allow'\nallow = ['@nope']\n")
    assert f"{PLACE} at " in place.refused(PolicyError)


def test_uncommitted_changes_of_it_are_not_in_force(place: Place) -> None:
    place.bring("[limits]\npids = 7\n")
    (place.fake.repository / PLACE).write_text("[limits]\npids = 5\n")
    assert place.effective(dirty=True).limits.pids == 7


def test_it_is_that_of_the_base_which_the_user_names(place: Place) -> None:
    first = git(place.fake.repository, "rev-parse", "HEAD")
    place.bring("[limits]\npids = 7\n")
    assert place.effective(base=first).limits.pids == 512


# Going on after an agent


def loosens(fake: ModelHost) -> None:
    """Let the agent take the policy away on its branch, besides its work."""
    boxes = working(fake)
    work = fake.agent

    def agent(box: FakeBox) -> int:
        policy = box.path("/workspace") / PLACE
        if policy.exists():
            policy.unlink()
            git(box.path("/workspace"), "commit", "-q", "-a", "-m", "take the policy away")
        return work(box)

    fake.agent = agent
    assert boxes == []


def test_what_an_agent_makes_of_it_is_not_in_force_where_its_run_is_gone_on_with(tmp_path: Path) -> None:
    fake = ModelHost(tmp_path)
    place = Place(fake, tmp_path)
    commit = place.bring("[limits]\npids = 77\n")
    loosens(fake)
    first = run_task(fake.ask(), place.host)
    assert PLACE not in git(fake.repository, "ls-tree", "-r", "--name-only", first.branch)
    second = run_task(task_to_continue(first.id, "go on", place.host), place.host)
    third = run_task(task_to_continue(second.id, "go on", place.host), place.host)
    assert [each.limits["pids"].granted for each in (first, second, third)] == [77, 77, 77]
    assert third.policy_files[-1].commit == commit
    named = run_task(fake.ask(base=first.branch), place.host)
    assert named.limits["pids"].granted == 512, "whoever begins anew at that branch has taken it"


def test_rounds_are_all_under_the_policy_that_the_first_began_with(tmp_path: Path) -> None:
    fake = ModelHost(tmp_path)
    place = Place(fake, tmp_path)
    place.bring("[limits]\npids = 77\n")
    loosens(fake)
    failing(fake, 2)
    result = run_rounds(fake.ask(check="make test"), loop(max_rounds=3), place.host)
    granted = [_result(place, each.id).limits["pids"].granted for each in result.rounds]
    assert granted == [77, 77, 77]


def _result(place: Place, run: str) -> RunResult:
    return RunResult.model_validate_json(run_paths(place.fake.state, run).result.read_bytes())


# Choosing it


def test_it_is_chosen_only_as_it_was_trusted(place: Place) -> None:
    assert "brings no policy" in place.refused(policy="repo")
    commit = place.bring(WIDER)
    message = place.refused(policy="repo")
    assert "is not trusted as it stands in " + commit[:12] in message
    assert "paddock trust" in message
    place.trusted(WIDER)
    policy = place.effective(policy="repo")
    assert (policy.sandbox.env, policy.limits.pids, policy.network.mode) == ({"EVIL": "1"}, 4096, "open")
    place.bring(WIDER + "# one byte more\n")
    assert "is not trusted" in place.refused(policy="repo")


def test_trusted_and_not_chosen_it_only_tightens(place: Place) -> None:
    place.bring(WIDER)
    before = place.effective(repo_policy=False)
    place.trusted(WIDER)
    assert place.effective() == before


def test_trust_in_another_repository_says_nothing(place: Place, tmp_path: Path) -> None:
    place.bring(WIDER)
    entry = Trusted(repository="/r/.git", what="policy", digest=digest_of(WIDER.encode()), origin=PLACE, at="now")
    add_trust(place.trust, entry)
    image = entry.model_copy(update={"what": "image", "repository": str(place.fake.repository / ".git")})
    add_trust(place.trust, image)
    assert "is not trusted" in place.refused(policy="repo")


def test_choosing_it_and_leaving_it_out_say_two_things(place: Place) -> None:
    place.bring(WIDER)
    with pytest.raises(UsageError, match="say two things"):
        place.plan(policy="repo", repo_policy=False)


def test_an_agents_change_of_a_chosen_one_is_not_in_force_either(tmp_path: Path) -> None:
    fake = ModelHost(tmp_path)
    place = Place(fake, tmp_path)
    text = "[limits]\npids = 600\n"
    place.bring(text)
    place.trusted(text)
    loosens(fake)
    first = run_task(fake.ask(policy="repo"), place.host)
    second = run_task(task_to_continue(first.id, "go on", place.host), place.host)
    assert (first.limits["pids"].granted, second.limits["pids"].granted) == (600, 600)


# The ceiling


def test_a_ceiling_bounds_what_is_chosen_trusted_and_observed(place: Place) -> None:
    place.ceiling.write_text(
        "[limits]\npids = 100\n[network]\nmode = 'allow'\nallow = ['a.test']\n[sandbox]\nenv = {}\n"
    )
    place.bring(WIDER)
    place.trusted(WIDER)
    policy = place.effective(policy="repo")
    assert (policy.limits.pids, policy.network.allow, policy.sandbox.env) == (100, ("a.test",), {})
    assert place.effective(policy="research").network.mode == "allow"
    assert "--observe opens the network" in place.refused(observe=True)
    result = run_task(place.fake.task(), place.host)
    assert result.policy_files[-1].role == "ceiling"
    assert result.policy_files[-1].digest == digest_of(place.ceiling.read_bytes())


def test_both_bound_and_the_smaller_value_wins(place: Place) -> None:
    place.ceiling.write_text("[limits]\npids = 100\nfiles = 50\n")
    place.bring("[limits]\npids = 200\nfiles = 40\n")
    limits = place.effective().limits
    assert (limits.pids, limits.files) == (100, 40)


def test_a_ceiling_that_cannot_be_relied_upon_stops_every_run(place: Place) -> None:
    place.ceiling.write_text("[limits]\npids = 100\n")
    place.ceiling.chmod(0o666)
    assert "Others may write" in place.refused()
    assert "Others may write" in place.refused(repo_policy=False)


def test_a_ceiling_keeps_an_agent_from_a_model_that_it_does_not_list(tmp_path: Path) -> None:
    fake = ModelHost(tmp_path)
    place = Place(fake, tmp_path)
    place.ceiling.write_text("[network]\nmode = 'allow'\nallow = ['a.test']\n")
    with pytest.raises(RefusedError, match="does not let the agent reach its model"):
        plan_request(fake.ask(), place.host)
    place.ceiling.write_text("[network]\nmode = 'allow'\nallow = ['*.anthropic.com']\n")
    assert len(plan_request(fake.ask(), place.host).policy.network.inject) == 1


NETWORKS: dict[str, Callable[[Policy], bool]] = {
    "[network]\nmode = 'none'\n": lambda policy: policy.network.allow == () and len(policy.network.inject) == 1,
    "[network]\nmode = 'allow'\nallow = ['a.test']\n": lambda policy: len(policy.network.inject) == 1,
    "[network]\ndeny = ['a.test']\n": lambda policy: len(policy.network.inject) == 1,
}


@pytest.mark.parametrize("text", NETWORKS)
def test_a_repository_that_says_nothing_of_the_model_leaves_the_way_to_it(tmp_path: Path, text: str) -> None:
    fake = ModelHost(tmp_path)
    place = Place(fake, tmp_path)
    place.bring(text)
    assert NETWORKS[text](plan_request(fake.ask(policy="offline"), place.host).policy)


@pytest.mark.parametrize("denied", ["api.anthropic.com", "*.anthropic.com"])
def test_a_repository_that_denies_the_model_stops_the_run(tmp_path: Path, denied: str) -> None:
    fake = ModelHost(tmp_path)
    place = Place(fake, tmp_path)
    place.bring(f"[network]\nmode = 'open'\ndeny = ['{denied}']\n")
    with pytest.raises(RefusedError):
        plan_request(fake.ask(), place.host)


def test_what_the_user_denies_stays_denied_where_the_repository_closes_the_network(tmp_path: Path) -> None:
    fake = ModelHost(tmp_path)
    place = Place(fake, tmp_path)
    mine = tmp_path / "mine.toml"
    mine.write_text("[network]\nmode = 'open'\ndeny = ['a.test']\n")
    place.bring("[network]\nmode = 'none'\n")
    policy = plan_request(fake.ask(policy=str(mine)), place.host).policy
    assert (policy.network.mode, policy.network.allow, policy.network.deny) == ("allow", (), ("a.test",))
    observed = tmp_path / "observed.toml"
    observed.write_text("[network]\nmode = 'allow'\ndeny = ['a.test']\n")
    with pytest.raises(RefusedError, match="--observe opens"):
        plan_request(fake.ask(policy=str(observed), observe=True), place.host)


def test_outcomes_are_as_ever(place: Place) -> None:
    place.bring("[limits]\npids = 7\n")
    assert run_task(place.fake.task(), place.host).outcome is Outcome.NO_CHANGES
