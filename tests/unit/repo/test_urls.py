"""URLs of repositories are told from paths, and give up their secrets to nobody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import RepositoryError
from runner.repo.urls import is_url, parse_url


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com/r.git",
        "ssh://git@example.com:22/r.git",
        "file:///srv/r.git",
        "git@example.com:group/r.git",
        "example.com:r",
        "ext::sh -c true",
        "made-up://x",
    ],
)
def test_these_are_urls(text: str) -> None:
    assert is_url(text)


@pytest.mark.parametrize("text", ["", ".", "r", "/srv/r", "./a:b", "dir/a:b", "~/r", "-x", "a b:c"])
def test_these_are_paths(text: str) -> None:
    assert not is_url(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com/r.git",
        "http://127.0.0.1:8080/r",
        "ssh://git@example.com/r.git",
        "git://example.com/r.git",
        "file:///srv/r.git",
        "git@example.com:group/r.git",
        "[::1]:r.git",
        "https://example.com/gr%20oup/r.git",
    ],
)
def test_urls_without_secrets_stay_as_they_are(text: str) -> None:
    remote = parse_url(text)
    assert (remote.url, remote.credentials, remote.secrets, remote.authorization()) == (text, "", (), "")


def test_credentials_are_taken_out_and_masked_in_every_form() -> None:
    remote = parse_url("https://us%40er:p%3Ass%2Fword@example.com:8443/r.git")
    assert remote.url == "https://example.com:8443/r.git"
    assert remote.credentials == "us@er:p:ss/word"
    assert remote.authorization() == "Authorization: Basic dXNAZXI6cDpzcy93b3Jk"
    told = "a us%40er:p%3Ass%2Fword b p%3Ass%2Fword c p:ss/word d dXNAZXI6cDpzcy93b3Jk e us@er"
    assert remote.mask(told) == "a *** b *** c *** d *** e ***"


def test_a_token_in_the_place_of_the_user_is_a_secret_too() -> None:
    remote = parse_url("https://ghp_0123456789@example.com/r.git")
    assert remote.url == "https://example.com/r.git"
    assert remote.mask("ghp_0123456789") == "***"


@pytest.mark.parametrize(
    "text",
    [
        "ext::sh -c touch% /tmp/x",
        "ext::sh",
        "fd::17",
        "HTTPS::x",
        "-upload-pack=x:y",
        "--upload-pack=x",
        "ssh://-oProxyCommand=x/r",
        "ssh://user:secret@example.com/r",
        "ssh://-l@example.com/r",
        "git://user:secret@example.com/r",
        "file://host/srv/r",
        "file://",
        "https://",
        "https:///r.git",
        "https://example.com",
        "https://example.com/",
        "https://example.com:port/r",
        "https://example.com:99999/r",
        "https://example.com/r?token=secret",
        "https://example.com/r#secret",
        "https://example.com/r?",
        "https://a\nb/r",
        "https://exam ple.com/r",
        "https://u%0aser:secret@example.com/r",
        "https://[::1/r",
        "ftp://example.com/r",
        "javascript://x/y",
        "-x@host:r",
        "-host:r",
        "host://",
        "",
    ],
)
def test_other_urls_are_refused_without_repeating_them(text: str) -> None:
    with pytest.raises(RepositoryError, match="the repository's URL") as caught:
        parse_url(text)
    assert "secret" not in caught.value.message + caught.value.hint


@given(st.text(max_size=80) | st.from_regex(r"(https|ssh|file|git)://[^/]{0,20}/.{0,20}", fullmatch=True))
def test_whatever_is_accepted_is_printable_and_no_option(text: str) -> None:
    try:
        remote = parse_url(text)
    except RepositoryError:
        return
    assert remote.url.isprintable()
    assert not remote.url.startswith("-")
    assert "::" not in remote.url.partition("/")[0] or remote.url.startswith("[")
    assert remote.name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("https://example.com/group/My_Repo.git", "my-repo"),
        ("git@example.com:r.git/", "r"),
        ("file:///é", "repository"),
    ],
)
def test_a_clone_is_named_after_its_repository(text: str, name: str) -> None:
    assert parse_url(text).name == name
