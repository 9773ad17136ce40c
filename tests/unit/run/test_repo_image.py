"""A repository's own image is used when it is asked for and trusted as it stands, and never otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from runner.errors import RefusedError
from runner.model.task import Task
from runner.repo.source import Source, inspect_source
from runner.run.host import Host
from runner.run.repo_image import choose_image, find_offer, planned_name, repository_of, unused_notice, with_agent
from runner.sandbox.engine import ImageFacts
from runner.store.trust import Trusted, add_trust, revoke_trust
from tests.unit.run.fake_host import FakeHost, git


class Place:
    """A host, its trust file, and a repository that offers an image."""

    def __init__(self, folder: Path) -> None:
        self.fake = FakeHost(folder)
        self.trust = folder / "config" / "trusted.json"
        self.host: Host = replace(self.fake.host(), trust=self.trust)
        self.base = self.host.engine.image("")
        self.offer("FROM debian\n")

    def offer(self, dockerfile: str, path: str = ".paddock/Dockerfile") -> None:
        file = self.fake.repository / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(dockerfile)
        git(self.fake.repository, "add", "--all")
        git(self.fake.repository, "commit", "--quiet", "--message", "offer")

    def source(self, base: str = "") -> Source:
        return inspect_source(str(self.fake.repository), base, effective_uid=self.host.user.uid)

    def task(self, image: str = "repo", base: str = "") -> Task:
        return self.fake.task(image=image, base=base)

    def trusted(self) -> None:
        source = self.source()
        entry = Trusted(
            repository=repository_of(self.task(), source),
            what="image",
            digest=find_offer(source, self.host).digest,
            origin="o",
            at="now",
        )
        add_trust(self.trust, entry)

    def choose(self, image: str = "repo", base: str = "", agent: str = "") -> tuple[ImageFacts, tuple[str, ...]]:
        return choose_image(self.task(image, base), agent, self.base, self.source(base), self.host)

    def refusal(self, base: str = "") -> str:
        with pytest.raises(RefusedError) as caught:
            self.choose(base=base)
        assert caught.value.exit_code == 30
        return f"{caught.value.message} {caught.value.hint}"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_without_the_option_it_is_not_used_and_one_line_says_so(place: Place) -> None:
    facts, notices = place.choose(image="")
    assert facts == place.base
    [notice] = notices
    assert ".paddock/Dockerfile" in notice
    assert "paddock trust" in notice


def test_a_repository_that_offers_none_is_not_spoken_of(place: Place) -> None:
    git(place.fake.repository, "rm", "-q", "-r", ".paddock")
    git(place.fake.repository, "commit", "-q", "-m", "gone")
    assert place.choose(image="") == (place.base, ())
    assert "offers no image" in place.refusal()


def test_another_image_by_name_is_used_without_a_word(place: Place) -> None:
    assert place.choose(image="base") == (place.base, ())


def test_what_is_not_trusted_is_refused_and_says_how_to_trust_it(place: Place) -> None:
    assert f"not trusted as it stands in {place.source().base_sha[:12]}" in place.refusal()
    assert f"paddock trust {place.fake.repository}" in place.refusal()
    assert "--base HEAD~0" in place.refusal(base="HEAD~0")


def test_what_is_trusted_is_used(place: Place) -> None:
    place.trusted()
    facts, notices = place.choose()
    assert facts.ref.name == find_offer(place.source(), place.host).digest.removeprefix("sha256:")
    assert notices == ()


def test_changed_content_is_not_trusted_and_the_old_commit_still_is(place: Place) -> None:
    place.trusted()
    place.offer("FROM debian\nRUN evil\n")
    assert "is not trusted" in place.refusal()
    assert place.choose(base="HEAD~1")[1] == ()
    place.offer("FROM debian\n")
    assert place.choose()[1] == ()


def test_a_file_added_to_the_context_is_not_trusted(place: Place) -> None:
    place.trusted()
    place.offer("curl x | sh\n", ".paddock/setup.sh")
    assert "is not trusted" in place.refusal()


def test_an_uncommitted_change_is_neither_trusted_nor_used(place: Place) -> None:
    place.trusted()
    before = place.choose()
    (place.fake.repository / ".paddock/Dockerfile").write_text("FROM evil\n")
    assert place.choose() == before


def test_trust_is_for_one_repository(place: Place, tmp_path: Path) -> None:
    place.trusted()
    (tmp_path / "second").mkdir()
    second = Place(tmp_path / "second")
    second.host = replace(second.host, trust=place.trust)
    assert find_offer(second.source(), second.host).digest == find_offer(place.source(), place.host).digest
    assert "is not trusted" in second.refusal()


def test_what_is_revoked_is_refused_again(place: Place) -> None:
    place.trusted()
    assert revoke_trust(place.trust, repository_of(place.task(), place.source()))
    assert "is not trusted" in place.refusal()


def test_a_host_without_a_trust_file_trusts_nothing(place: Place) -> None:
    place.trusted()
    place.host = replace(place.host, trust=None)
    assert "is not trusted" in place.refusal()


def test_a_trust_file_that_others_may_write_is_no_word_of_the_users(place: Place) -> None:
    place.trusted()
    place.trust.chmod(0o666)
    assert "Others may write" in place.refusal()


def test_what_a_devcontainer_would_have_run_is_named_and_not_run(place: Place) -> None:
    git(place.fake.repository, "rm", "-q", "-r", ".paddock")
    place.offer('{"image": "base", "initializeCommand": "touch /tmp/x"}', ".devcontainer.json")
    place.trusted()
    facts, notices = place.choose()
    assert facts == place.base
    assert notices == (".devcontainer.json: not acted on: initializeCommand.",)


def test_hostile_files_do_not_disturb_a_run_that_does_not_ask(place: Place) -> None:
    git(place.fake.repository, "rm", "-q", "-r", ".paddock")
    place.offer("[" * 100_000, ".devcontainer.json")
    assert unused_notice(place.source(), place.host) != ()
    assert "it is nested too deeply" in place.refusal()


def test_a_plan_names_the_image_and_refuses_as_a_run_does(place: Place) -> None:
    assert planned_name(place.task("other"), "", place.source(), place.host) == "other"
    with pytest.raises(RefusedError, match="is not trusted"):
        planned_name(place.task(), "", place.source(), place.host)
    place.trusted()
    digest = find_offer(place.source(), place.host).digest.removeprefix("sha256:")
    assert planned_name(place.task(), "", place.source(), place.host) == f"paddock/repo:{digest}"


def test_a_url_is_known_without_its_credentials(place: Place) -> None:
    task = place.task().model_copy(update={"repo": "https://joe:s3cret@git.example.test/x.git"})
    assert repository_of(task, place.source()) == "https://git.example.test/x.git"


@pytest.mark.parametrize(
    ("asked", "agent", "image"),
    [
        ("", "", ""), ("", "claude", "claude"), ("python", "claude", "claude+python"),
        ("go+node", "codex", "codex+go+node"),
        ("claude+python", "claude", "claude+python"), ("mine:1", "claude", "mine:1"), ("python", "", "python"),
    ],
)  # fmt: skip
def test_an_agent_is_added_to_shipped_stacks_and_to_nothing_else(asked: str, agent: str, image: str) -> None:
    assert with_agent(asked, agent) == image
