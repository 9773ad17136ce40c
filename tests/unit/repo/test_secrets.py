"""Credentials that look real are found in added lines, and nothing that is an example, an address or noise."""

from __future__ import annotations

import base64
import json
import random
import string
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.repo import secrets
from runner.repo.added_lines import Patch
from runner.repo.secrets import HINTS, OURS, find_secrets, is_made_up, library

COMMIT = "c" * 40
LETTERS = string.ascii_letters + string.digits


def random_text(length: int, letters: str = LETTERS, *, seed: int = 5) -> str:
    """The same at every run, and not made up by the measure of `is_made_up`."""
    chance = random.Random(seed)  # noqa: S311 - the same every time
    while is_made_up(text := "".join(chance.choices(letters, k=length))):
        pass
    return text


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def patch_of(*lines: str, path: str = "src/config.py", sign: str = "+") -> Patch:
    """What git prints for a new file."""
    head = f"{COMMIT}\ndiff --git a/{path} b/{path}\nnew file mode 100644\nindex 0000000..1111111\n--- /dev/null\n"
    body = "".join(f"{sign}{line}\n" for line in lines)
    return Patch(f"{head}+++ b/{path}\n@@ -0,0 +1,{len(lines)} @@\n{body}".encode("utf-8", "surrogatepass"))


def found(*lines: str) -> list[tuple[str, str, int]]:
    return [(each.kind, each.path.decode(), each.line) for each in find_secrets(patch_of(*lines)).found]


HEX = "0123456789abcdef"
# Written in halves, so that no scanner takes this file for what it looks for.
REAL = {
    "Anthropic API key": "sk-" + "ant-api03-" + random_text(93) + "AA",
    "AWS access key": "AKI" + "A" + random_text(16, string.ascii_uppercase + "234567"),
    "Azure storage key": "Account" + "Key=" + random_text(86) + "==",
    "GitHub token": "gh" + "p_" + random_text(36),
    "GitHub fine-grained token": "github" + "_pat_" + random_text(22) + "_" + random_text(59),
    "GitLab token": "gl" + "pat-" + random_text(20),
    "Google API key": "AI" + "za" + random_text(35),
    "Hugging Face token": "h" + "f_" + random_text(34),
    "JSON Web Token": f"{part({'alg': 'HS256'})}.{part({'sub': 'ada', 'exp': 1790000055})}.{random_text(43)}",
    "Mailchimp key": random_text(32, HEX) + "-us" + "14",
    "npm token": "//registry.acme.io/:_auth" + "Token=npm_" + random_text(36),
    "OpenAI API key": "sk-" + random_text(20) + "T3Blbk" + "FJ" + random_text(20, seed=6),
    "password in a URL": "postgres://app:" + "k8" + random_text(12) + "@db.acme.io:5432/app",
    "PyPI token": "pypi-" + "AgEIcHlwaS5vcmc" + random_text(80),
    "SendGrid key": "SG" + "." + random_text(22) + "." + random_text(43),
    "Slack token": "xox" + "b-2345678901-" + random_text(24),
    "Square secret": "sq0" + "csp-" + random_text(43),
    "Stripe key": "sk_" + "live_" + random_text(24),
    "Telegram bot token": "987654302:A" + "A" + random_text(33),
    "Twilio key": "S" + "K" + random_text(32, HEX),
}
KEY_HEAD, KEY_TAIL = "-----BEGIN RSA " + "PRIVATE KEY-----", "-----END RSA " + "PRIVATE KEY-----"


@pytest.mark.parametrize(("kind", "value"), REAL.items(), ids=REAL)
def test_a_credential_of_each_form_is_found_with_file_and_line(kind: str, value: str) -> None:
    assert found("import os", f"KEY = '{value}'", "") == [(kind, "src/config.py", 2)]


def test_every_form_is_tried() -> None:
    assert {kind for kind, *_ in HINTS} == {*REAL, "private key"} == {*library(), *OURS}


@pytest.mark.parametrize(("kind", "value"), REAL.items(), ids=REAL)
def test_a_credential_that_goes_away_or_stays_is_none_that_was_added(kind: str, value: str) -> None:
    for sign in ("-", " ", "\\"):
        assert not find_secrets(patch_of(f"KEY = '{value}'", sign=sign)).found


def test_the_value_itself_is_told_nowhere() -> None:
    for kind, value in REAL.items():
        told = repr(find_secrets(patch_of(f"KEY = '{value}'")))
        assert kind in told
        assert value[-12:] not in told


def test_a_private_key_is_found_with_its_first_line_alone_or_in_one_string() -> None:
    body = [random_text(64, seed=seed) for seed in range(3)]
    expected = [("private key", "src/config.py", 1)]
    assert found(KEY_HEAD, *body, KEY_TAIL) == expected
    assert found(KEY_HEAD, "Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-128-CBC,7A", "", *body) == expected
    assert found(f'key = "{KEY_HEAD}\\n{body[0]}\\n"') == expected
    assert found(f'"{KEY_HEAD}\\n" +', f'"{body[0]}\\n" +') == expected


@pytest.mark.parametrize(
    "lines",
    [
        (f'if line == "{KEY_HEAD}":', "    return parse(line)"),
        (KEY_HEAD, "...", KEY_TAIL),
        (KEY_HEAD, "A" * 64, KEY_TAIL),
        (KEY_HEAD.replace("PRIVATE", "PUBLIC"), random_text(64)),
    ],
)
def test_what_only_speaks_of_private_keys_is_none(lines: tuple[str, ...]) -> None:
    assert found(*lines) == []


MADE_UP = [
    "AKI" + "AIOSFODNN7EXAMPLE",
    "AKI" + "A" + "A" * 16,
    "gh" + "p_" + "x" * 36,
    "gh" + "p_" + "abcdefghijklmnopqrstuvwxyz0123456789",
    "gh" + "p_" + "YourTokenGoesHere" + random_text(19),
    "sk-" + "ant-api03-" + "x" * 93,
    "sk_" + "live_" + "0123456789abcdef01234567",
    "hooks.slack.com/services/T" + "00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
    "postgres://user:password@db.acme.io/app",
    "postgres://user:hunter2hunter2@localhost/app",
    "https://ada:s3cretw0rd99x@example.com/",
    "https://ada:s3cretw0rd99x@db/",
    "https://${USER}:${PASSWORD1234}@host.acme.io/",
    "https://{user}:{password9876}@host.acme.io/",
    "//registry.acme.io/:_auth" + "Token=${NPM_TOKEN}",
    f"{part({'alg': 'HS256'})}.{part({'sub': '1234567890', 'name': 'John Doe'})}.{random_text(43)}",
    "Account" + "Key=" + "0" * 86 + "==",
]


@pytest.mark.parametrize("value", MADE_UP)
def test_examples_and_templates_are_left_alone(value: str) -> None:
    assert found(f"KEY = '{value}'") == []


@pytest.mark.parametrize(
    "line",
    [
        "commit 3f786850e387550fdab836ed7e6dc881de23001b",
        "sha512-" + random_text(86) + "==",
        "id = '123e4567-e89b-12d3-a456-426614174000'",
        "password = os.environ['PASSWORD']",
        "token = '" + random_text(40) + "'",
        "the aws_secret_access_key that you were given",
        "git@forge.test:user/repository.git and https://forge.test/a:b/c@d",
        "see AKIA, ghp_ and sk-ant- in the documentation",
        "import eyJson from 'eyJ'; a.eyJb.c",
        "non-us12 -use -us9x",
        "https://user:pass@",
    ],
)
def test_what_has_another_form_is_no_noise(line: str) -> None:
    assert found(line) == []


def test_nobody_can_silence_the_search_from_within_the_file() -> None:
    line = f"KEY = '{REAL['GitHub token']}'  # pragma: allowlist secret"
    assert found("# pragma: allowlist nextline secret", line) == [("GitHub token", "src/config.py", 2)]


def test_one_value_is_told_once_for_a_file_and_two_values_twice() -> None:
    one, other = REAL["GitHub token"], "gh" + "o_" + random_text(36, seed=9)
    assert [line for *_, line in found(one, one, other)] == [1, 3]


def test_the_library_is_loaded_only_where_something_may_be_and_never_asks_the_network() -> None:
    program = f"""
import socket, sys
def deny(*_): raise AssertionError("the network was asked")
socket.socket.connect = deny
from tests.unit.repo.test_secrets import REAL, patch_of
from runner.repo.secrets import find_secrets
find_secrets(patch_of("nothing", "ghp_ AKIA sk-ant- PRIVATE KEY"))
assert not [name for name in sys.modules if name.startswith("detect_secrets")]
assert len(find_secrets(patch_of(*REAL.values())).found) == {len(REAL)}
assert "detect_secrets" in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@given(st.lists(st.sampled_from([needle for _, needles, _ in HINTS for needle in needles]), max_size=30), st.binary())
def test_any_bytes_are_searched(needles: list[bytes], rest: bytes) -> None:
    text = patch_of("x").text + b"+" + rest.join(needles) + b"\n"
    for each in find_secrets(Patch(text)).found:
        assert each.path == b"src/config.py"


@pytest.mark.parametrize("kind", sorted(REAL))
def test_a_hostile_patch_costs_bounded_time(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "MAX_CANDIDATES", 2_000)
    needle = next(needles[0] for each, needles, _ in HINTS if each == kind).decode()
    begin = time.monotonic()
    for filler in (REAL[kind][:12], REAL[kind][len(needle) :], "", "a", "A1", " ", "aws_secret='", "://a:", "//"):
        assert len(find_secrets(patch_of((needle + filler) * 40_000)).found) <= secrets.MAX_FOUND
    assert time.monotonic() - begin < 20


def test_more_than_is_looked_at_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "MAX_FOUND", 3)
    tokens = ["gh" + "p_" + random_text(36, seed=seed) for seed in range(10, 16)]
    search = find_secrets(patch_of(*tokens))
    assert (len(search.found), search.complete) == (3, False)
    assert find_secrets(patch_of(*tokens[:2])).complete
