"""What a repository offers is read from one commit, and nothing that leads out of it is followed."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from runner.errors import RepositoryError
from runner.model.offer import Offer, OfferedFile
from runner.repo import base_tree, offered
from runner.repo.base_tree import offered_at
from runner.repo.offered import read_offer
from runner.repo.source import inspect_source
from tests.unit.repo.sources import ENVIRONMENT, commit, fingerprint, git, make_repository


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "repository")


def write(place: Path, path: str, text: str) -> None:
    file = place / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def offer_of(place: Path, base: str = "") -> Offer | None:
    return read_offer(inspect_source(str(place), base, effective_uid=os.geteuid()), effective_uid=os.geteuid())


def offered_by(place: Path) -> Offer:
    """What is offered once everything is committed."""
    commit(place, "offer")
    found = offer_of(place)
    assert found is not None
    return found


def devcontainer(place: Path, document: object, path: str = ".devcontainer/devcontainer.json") -> None:
    write(place, path, "// written by hand\n" + json.dumps(document))


def refusal(place: Path) -> str:
    commit(place, "offer")
    with pytest.raises(RepositoryError) as caught:
        offer_of(place)
    assert caught.value.exit_code == 30
    assert caught.value.message.isprintable()
    return caught.value.message


def test_a_repository_without_one_offers_nothing(place: Path) -> None:
    assert offer_of(place) is None
    assert offered_at(inspect_source(str(place), effective_uid=os.geteuid()), effective_uid=os.geteuid()) == ""


def test_a_dockerfile_of_its_own_is_built_from_its_folder_alone(place: Path) -> None:
    write(place, ".paddock/Dockerfile", "FROM debian\n")
    write(place, ".paddock/tools/setup.sh", "echo\n")
    (place / ".paddock/tools/setup.sh").chmod(0o755)
    before = fingerprint(place / ".paddock")
    found = offered_by(place)
    assert found.files == (
        OfferedFile("Dockerfile", 0o644, b"FROM debian\n"),
        OfferedFile("tools/setup.sh", 0o755, b"echo\n"),
    )
    assert (found.origin, found.dockerfile, found.reference) == (".paddock/Dockerfile", "Dockerfile", "")
    assert fingerprint(place / ".paddock") == before


def test_neither_the_work_tree_nor_the_index_is_looked_at(place: Path) -> None:
    write(place, ".paddock/Dockerfile", "FROM debian\n")
    committed = offered_by(place)
    write(place, ".paddock/.env", "KEY=sk-test-0123456789abcdef\n")
    write(place, ".paddock/Dockerfile", "FROM evil\n")
    write(place, ".paddock/more", "more\n")
    git(place, "add", ".paddock/more", ".paddock/Dockerfile")
    assert offer_of(place) == committed


def test_the_base_decides_and_equal_content_has_an_equal_digest(place: Path) -> None:
    write(place, ".paddock/Dockerfile", "FROM one\n")
    first = offered_by(place)
    write(place, ".paddock/Dockerfile", "FROM two\n")
    second = offered_by(place)
    write(place, "unrelated", "x")
    third = offered_by(place)
    assert first.digest != second.digest
    assert second.digest == third.digest
    assert offer_of(place, "HEAD~2") == first


def test_a_devcontainer_gives_an_image_or_a_build(place: Path) -> None:
    devcontainer(place, {"image": "debian:bookworm", "postCreateCommand": "x"}, ".devcontainer.json")
    found = offered_by(place)
    assert (found.reference, found.origin, found.ignored) == (
        "debian:bookworm",
        ".devcontainer.json",
        ("postCreateCommand",),
    )
    devcontainer(place, {"build": {"dockerfile": "Dockerfile", "context": "..", "args": {"A": "1"}, "target": "t"}})
    write(place, ".devcontainer/Dockerfile", "FROM debian AS t\n")
    found = offered_by(place)
    assert (found.dockerfile, found.target, found.arguments) == (".devcontainer/Dockerfile", "t", {"A": "1"})
    assert {"file", "tool", ".devcontainer/Dockerfile", "folder/deep"} <= {file.path for file in found.files}
    assert found.left_out == ("link (a symbolic link)",)
    write(place, ".paddock/Dockerfile", "FROM own\n")
    assert offered_by(place).origin == ".paddock/Dockerfile"


def test_a_devcontainer_that_describes_no_image_offers_none(place: Path) -> None:
    devcontainer(place, {"dockerComposeFile": "compose.yml"})
    commit(place, "compose")
    assert offer_of(place) is None


@pytest.mark.parametrize(
    ("build", "says"),
    [
        ({"dockerfile": "Dockerfile", "context": "../.."}, "leads out of the repository"),
        ({"dockerfile": "../../Dockerfile"}, "leads out of the repository"),
        ({"dockerfile": "/etc/passwd"}, "leads out of the repository"),
        ({"dockerfile": "Dockerfile", "context": "/"}, "leads out of the repository"),
        ({"dockerfile": "../file"}, "outside of its build context"),
        ({"dockerfile": "."}, "outside of its build context"),
        ({"dockerfile": "none"}, "there is no .devcontainer/none in the commit"),
        ({"dockerfile": "link", "context": ".."}, "there is no .devcontainer/link"),
        ({"dockerfile": "../link", "context": ".."}, "a symbolic link"),
        ({"dockerfile": "../folder", "context": ".."}, "there is no folder"),
        ({"dockerfile": "\x1b[2J"}, r"there is no .devcontainer/\\x1b\[2J"),
        ({"dockerfile": "*/Dockerfile", "context": "*"}, "there is no"),
        ({"dockerfile": ":(top)/a", "context": ":(top)"}, "there is no"),
    ],
)
def test_a_build_of_anything_but_the_commits_own_files_is_refused(place: Path, build: object, says: str) -> None:
    devcontainer(place, {"build": build})
    assert re.search(says, refusal(place))


@pytest.mark.parametrize("path", [".paddock/Dockerfile", ".devcontainer/devcontainer.json", ".devcontainer.json"])
def test_a_symlink_in_place_of_the_offer_is_refused(place: Path, path: str) -> None:
    (place / path).parent.mkdir(exist_ok=True)
    (place / path).symlink_to("/etc/passwd")
    assert "it is a symbolic link" in refusal(place)


def test_a_symlinked_folder_is_not_followed(place: Path, tmp_path: Path) -> None:
    write(place, "elsewhere/Dockerfile", "FROM debian\n")
    (place / ".paddock").symlink_to("elsewhere")
    commit(place, "link")
    assert offer_of(place) is None


def test_what_is_too_large_is_refused_before_it_is_read(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(place, ".paddock/Dockerfile", "FROM debian\n")
    write(place, ".paddock/big", "x" * 5000)
    monkeypatch.setattr(offered, "MOST_CONTEXT", 4000)
    assert "larger than 0 MiB" in refusal(place)
    monkeypatch.setattr(offered, "MOST_FILES", 1)
    monkeypatch.setattr(base_tree, "MOST_FILES", 1)
    with pytest.raises(RepositoryError, match="more than 1 files"):
        offer_of(place)
    monkeypatch.setattr(base_tree, "LISTING", 60)
    with pytest.raises(RepositoryError, match="more than 1 files"):
        offer_of(place)


def test_a_dockerfile_or_devcontainer_that_nobody_could_read_is_refused(place: Path) -> None:
    write(place, ".paddock/Dockerfile", "#" * (offered.MOST_DOCKERFILE + 1))
    assert "larger than 256 KiB" in refusal(place)
    git(place, "rm", "-q", "-r", ".paddock")
    write(place, ".devcontainer.json", " " * 300_000)
    assert "larger than 256 KiB" in refusal(place)


def test_an_add_that_the_engine_would_fetch_is_refused(place: Path) -> None:
    write(place, ".paddock/Dockerfile", "FROM debian\nADD http://169.254.169.254/latest /x\n")
    assert "may be fetched by the engine itself" in refusal(place)


def test_odd_names_are_shown_escaped_or_refused(place: Path) -> None:
    write(place, ".paddock/Dockerfile", "FROM debian\n")
    write(place, ".paddock/\x1b[2J\n", "odd\n")
    assert [file.path for file in offered_by(place).files] == ["\x1b[2J\n", "Dockerfile"]
    (place / os.fsdecode(b".paddock/caf\xe9")).write_text("x")
    assert "not UTF-8" in refusal(place)


@pytest.mark.parametrize("name", ["..", "."])
def test_a_tree_made_by_hand_with_a_path_that_no_file_can_have_is_refused(place: Path, name: str) -> None:
    def made(kind: str, content: bytes) -> str:
        argv = ["git", "-C", str(place), "hash-object", "-t", kind, "-w", "--stdin", "--literally"]
        return (
            subprocess.run(argv, input=content, capture_output=True, env=ENVIRONMENT, check=True)
            .stdout.decode()
            .strip()
        )

    blob = bytes.fromhex(made("blob", b"FROM debian\n"))
    inner = made("tree", b"100644 " + name.encode() + b"\0" + blob + b"100644 Dockerfile\0" + blob)
    if name == "..":
        inner = made("tree", b"40000 ..\0" + bytes.fromhex(inner) + b"100644 Dockerfile\0" + blob)
    top = made("tree", b"40000 .paddock\0" + bytes.fromhex(inner))
    sha = git(place, "commit-tree", top, "-m", "odd")
    with pytest.raises(RepositoryError, match="a path that no file can have"):
        offer_of(place, sha)


def test_a_name_that_stands_twice_in_a_tree_is_refused(place: Path) -> None:
    argv = ["git", "-C", str(place), "hash-object", "-t", "tree", "-w", "--stdin", "--literally"]
    write(place, "blob", "FROM debian\n")
    blob = bytes.fromhex(git(place, "hash-object", "-w", "blob"))
    twice = b"100644 Dockerfile\0" + blob

    def tree(content: bytes) -> str:
        return (
            subprocess.run(argv, input=content, capture_output=True, env=ENVIRONMENT, check=True)
            .stdout.decode()
            .strip()
        )

    top = tree(b"40000 .paddock\0" + bytes.fromhex(tree(twice + twice)))
    with pytest.raises(RepositoryError, match="a path that no file can have"):
        offer_of(place, git(place, "commit-tree", top, "-m", "twice"))


def test_every_part_of_an_offer_is_in_its_digest() -> None:
    one = OfferedFile("Dockerfile", 0o644, b"FROM a\n")
    offers = [
        Offer(origin="o", dockerfile="Dockerfile", files=(one,)),
        Offer(origin="o", dockerfile="Dockerfile", files=(one._replace(mode=0o755),)),
        Offer(origin="o", dockerfile="Dockerfile", files=(one._replace(data=b"FROM b\n"),)),
        Offer(origin="o", dockerfile="Dockerfile", files=(one, one._replace(path="b"))),
        Offer(origin="o", dockerfile="b", files=(one,)),
        Offer(origin="o", dockerfile="Dockerfile", files=(one,), target="t"),
        Offer(origin="o", dockerfile="Dockerfile", files=(one,), arguments={"A": "1"}),
        Offer(origin="o", dockerfile="Dockerfile", files=(one,), arguments={"A": "2"}),
        Offer(origin="o", dockerfile="Dockerfile", files=(one,), arguments={"A1": ""}),
        Offer(origin="o", reference="debian"),
        Offer(origin="o", reference="debian:1"),
    ]
    assert len({offer.digest for offer in offers}) == len(offers)
    assert Offer(origin="other", dockerfile="Dockerfile", files=(one,), ignored=("x",)).digest == offers[0].digest
