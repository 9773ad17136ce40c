"""An agent of the user's own, a few lines of shell in the config file: it asks a model, writes and commits."""

from __future__ import annotations

import pytest

from tests.integration.agents_kit import KEYS
from tests.integration.agents_user import User, facts, the_id
from tests.integration.cli import show
from tests.models.dialogues import commit_work

pytestmark = [pytest.mark.docker, pytest.mark.timeout(120)]

SCRIPT = """
set -e
jq -n --rawfile prompt /dev/stdin '{model: "MODEL", messages: [{role: "user", content: $prompt}]}' > /tmp/question
curl -sS --fail-with-body -H "Content-Type: application/json" -H "$HEADER$KEY" -d @/tmp/question \
    "$URL/chat/completions" > /tmp/said
jq -r '.choices[0].message.content' < /tmp/said | tee said.txt
{ env; cat /proc/self/environ; } > inside.txt
git add said.txt inside.txt
git commit -q -m "Write down what the model said"
echo "I wrote it down."
"""
FOR_PROVIDER = SCRIPT.replace("$HEADER$KEY", "Authorization: Bearer $OPENAI_API_KEY").replace("MODEL", "gpt-5")
FOR_ADDRESS = SCRIPT.replace("$HEADER$KEY", "X-Company-Key: $COMPANY_KEY").replace("MODEL", "company-model")
WITHOUT_MODEL = """
cat > prompt.txt
git add prompt.txt
git commit -q -m "Keep what was asked"
echo "Nobody was asked."
"""
COMPANY_KEY = "company-test-0123456789abcdef"


def config(script: str, settings: str = "") -> str:
    """`[agents.mine]`, a shell script."""
    return f"[agents.mine]\nargv = ['sh', '-c', '''{script}''']\n{settings}\n"


@pytest.mark.parametrize("way", ["provider", "address"])
def test_it_asks_its_model_with_a_key_that_it_does_not_have(way: str, user: User) -> None:
    url = 'environment = { URL = "{url}" }'
    if way == "provider":
        user.configure(config(FOR_PROVIDER, f'provider = "openai"\n{url}'))
    else:
        own = 'url = "https://api.openai.com/v1"\nsecret = "COMPANY_KEY"\nheader = "X-Company-Key"'
        user.configure(config(FOR_ADDRESS, f"{own}\n{url}"))
        user.paddock.variables["COMPANY_KEY"] = COMPANY_KEY
    with user.model(commit_work()) as model:
        done = user.run("What is this?", agent="mine")
        used = model.spent
        [heard] = model.heard
    assert done.code == 0, done.err
    header, key = ("authorization", f"Bearer {KEYS['OPENAI_API_KEY']}") if way == "provider" else (
        "x-company-key", COMPANY_KEY
    )  # fmt: skip
    assert heard.headers[header] == key
    assert heard.body["messages"][0]["content"].endswith("What is this?")
    assert f"{used.input} in, {used.output} out, 1 request" in facts(done.err)["tokens"][0]
    branch = f"paddock/{the_id(done)}"
    assert show(user.repository, branch, "said.txt").strip() == "A small task"
    inside = show(user.repository, branch, "inside.txt")
    assert "URL=http://api.openai.com" in inside
    assert [word for word in (*KEYS.values(), COMPANY_KEY) if word in inside + done.err + done.out] == []


def test_its_lines_are_its_words_and_the_last_of_them_its_answer(user: User) -> None:
    user.configure(config(WITHOUT_MODEL))
    done = user.run("Write a haiku.", agent="mine")
    branch = f"paddock/{the_id(done)}"
    assert (done.code, done.out) == (0, "Nobody was asked.\n")
    assert "\n  Nobody was asked.\n" in done.err
    assert show(user.repository, branch, "prompt.txt").endswith("Write a haiku.")
    assert "tokens" not in facts(done.err)
    assert "- agent: `mine`" in user.paddock.good("logs", "last", "--transcript")


def test_without_a_model_it_has_no_network(user: User) -> None:
    user.configure(config("ls /sys/class/net; curl -sS -m 5 http://api.openai.com/ || echo closed"))
    done = user.run("Try.", agent="mine")
    assert done.out.splitlines()[0] == "lo"
    assert done.out.splitlines()[-1] == "closed"


def test_it_is_known_by_its_name(user: User) -> None:
    user.configure(config(WITHOUT_MODEL))
    done = user.run("x", agent="another")
    assert done.code == 2
    assert "mine" in done.err


def test_it_goes_on_where_it_was(user: User) -> None:
    user.configure(config(WITHOUT_MODEL))
    first = user.run("Write a haiku.", agent="mine")
    second = user.paddock("continue", the_id(first), "Another one.")
    assert (first.code, second.code) == (0, 0)
    assert show(user.repository, f"paddock/{the_id(second)}", "prompt.txt").endswith("Another one.")
