"""Mount paths and globs as text: what could be taken for something else is refused."""

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.model.paths import check_glob, check_source, check_target, is_within


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("/data", "/data"),
        ("/data/", "/data"),
        ("//data//x/./y", "/data/x/y"),
        ("/home/agent/.cache/uv", "/home/agent/.cache/uv"),
        ("/workspaces", "/workspaces"),
        ("/tmp/cache", "/tmp/cache"),
        ("/usr/local/share/models", "/usr/local/share/models"),
        ("/mnt/with space", "/mnt/with space"),
    ],
)
def test_targets_have_one_normal_form(text: str, normal: str) -> None:
    assert check_target(text) == normal


RESERVED = ["/proc", "/sys", "/dev", "/etc", "/run", "/var/run", "/workspace", "/paddock", "/out", "/bin", "/usr/bin"]


@pytest.mark.parametrize("place", RESERVED)
def test_nothing_is_put_over_or_into_what_makes_the_sandbox(place: str) -> None:
    for target in (place, place + "/", place + "/below", "//" + place[1:], place + "/./x"):
        with pytest.raises(ValueError, match="would cover"):
            check_target(target)


@pytest.mark.parametrize("target", ["/", "//", "/.", "/home", "/home/agent", "/tmp", "/usr", "/var"])
def test_whole_trees_are_not_replaced(target: str) -> None:
    with pytest.raises(ValueError, match="itself cannot be replaced"):
        check_target(target)


@pytest.mark.parametrize("target", ["data", "./data", "~/data", ""])
def test_targets_are_absolute(target: str) -> None:
    with pytest.raises(ValueError, match=r"not an absolute path|empty"):
        check_target(target)


@pytest.mark.parametrize("path", ["/data/..", "/data/../etc", "/..", "/a/../../b"])
def test_no_path_leads_back_up(path: str) -> None:
    for check in (check_target, check_source):
        with pytest.raises(ValueError, match=r'contains "\.\."'):
            check(path)


@pytest.mark.parametrize("character", [*":,'\"`\\", "\n", "\r", "\t", "\0", "\x1b", "\x7f", "\x85"])
def test_characters_that_mounts_take_for_separators_are_refused(character: str) -> None:
    for check in (check_target, check_source):
        with pytest.raises(ValueError, match="contains a") as caught:
            check(f"/data{character}x")
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("source", ["data", "./data", "~bob/data", "", "-v"])
def test_sources_are_absolute_once_a_file_is_loaded(source: str) -> None:
    with pytest.raises(ValueError, match=r"absolute|empty|only \"~/\""):
        check_source(source)


@given(st.text("/.abpro:\0ü", max_size=30))
def test_what_passes_is_absolute_normal_and_outside_the_reserved_places(text: str) -> None:
    try:
        path = check_target(text)
    except ValueError:
        return
    assert path == posixpath.normpath(path) == check_target(path)
    assert path.startswith("/")
    assert not any(is_within(path, place) or is_within(place, path) for place in RESERVED)


@pytest.mark.parametrize(
    "glob", [".env.example", "config/*.local.toml", "**/fixtures/[a-c]?.bin", ".github/x", ".gitx"]
)
def test_plain_globs_pass_as_they_are(glob: str) -> None:
    assert check_glob(glob) == glob


@pytest.mark.parametrize(
    "glob",
    [
        "", "/etc/passwd", "~/x", "../x", "a/../../x", "a/..", ".git", ".git/config", "a/.git/hooks", ".GIT/x",
        "git~1/x",        ".git./x", ".git /x", ":(top)x", ":!x", "!x", "-x", "a\nb", "a\0b", "a\\b",
    ],
)  # fmt: skip
def test_globs_stay_inside_the_repository_and_out_of_its_git(glob: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        check_glob(glob)
