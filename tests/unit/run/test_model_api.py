"""An agent's model: found by the key that there is, reached whatever the mode, and its key never inside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runner.errors import PolicyError, RefusedError, UnenforceableError, UsageError
from runner.run.decision import decide
from runner.run.execute import run_task
from runner.run.prepare import plan_request, prepare
from tests.unit.run.model_agent import KEY, ModelHost


@pytest.fixture
def fake(tmp_path: Path) -> ModelHost:
    return ModelHost(tmp_path)


def policy(fake: ModelHost, text: str) -> str:
    path = fake.home / "policy.toml"
    path.write_text(f'extends = "offline"\n{text}')
    return str(path)


def test_the_gateway_adds_the_key_and_the_sandbox_holds_a_placeholder(fake: ModelHost) -> None:
    decision = decide(fake.ask(), fake.host())
    [injection] = decision.loaded.policy.network.inject
    assert (injection.host, injection.header, injection.secret) == (
        "api.anthropic.com", "x-api-key", "ANTHROPIC_API_KEY"
    )  # fmt: skip
    assert decision.loaded.policy.network.mode == "allow"
    assert decision.loaded.policy.network.allow == ()
    assert decision.command.environment["ANTHROPIC_BASE_URL"] == "http://api.anthropic.com."
    assert decision.command.environment["ANTHROPIC_API_KEY"].startswith("placeholder")
    assert "the sandbox does not hold" in decision.notices[0]


def test_a_login_token_goes_into_the_header_that_it_belongs_in(fake: ModelHost) -> None:
    fake.variables = {"CLAUDE_CODE_OAUTH_TOKEN": KEY}
    decision = decide(fake.ask(), fake.host())
    [injection] = decision.loaded.policy.network.inject
    assert (injection.header, injection.secret) == ("authorization", "CLAUDE_CODE_OAUTH_TOKEN")
    assert "ANTHROPIC_API_KEY" not in decision.command.environment


def test_what_the_policy_opens_stays_open_beside_the_model(fake: ModelHost) -> None:
    chosen = policy(fake, '[network]\nmode = "allow"\nallow = ["docs.test"]\n')
    network = decide(fake.ask(policy=chosen), fake.host()).loaded.policy.network
    assert (network.allow, len(network.inject)) == (("docs.test",), 1)


def test_an_injection_that_the_policy_has_already_is_not_made_twice(fake: ModelHost) -> None:
    chosen = policy(
        fake,
        '[network]\nmode = "allow"\n[[network.inject]]\nhost = "api.anthropic.com"\nheader = "x-api-key"\n'
        'secret = "COMPANY_KEY"\n',
    )
    [injection] = decide(fake.ask(policy=chosen), fake.host()).loaded.policy.network.inject
    assert injection.secret == "COMPANY_KEY"


def test_a_policy_that_denies_the_model_is_refused_with_what_to_do(fake: ModelHost) -> None:
    chosen = policy(fake, '[network]\nmode = "allow"\ndeny = ["api.anthropic.com"]\n')
    with pytest.raises(PolicyError, match=r"network\.deny has api\.anthropic\.com"):
        decide(fake.ask(policy=chosen), fake.host())


def test_a_pattern_that_denies_the_model_is_refused_too(fake: ModelHost) -> None:
    chosen = policy(fake, '[network]\nmode = "allow"\ndeny = ["*.anthropic.com"]\n')
    with pytest.raises(PolicyError, match=r"api\.anthropic\.com is in network\.deny"):
        prepare(fake.ask(policy=chosen), fake.host())


def test_without_a_key_nothing_starts_and_every_key_that_would_do_is_named(fake: ModelHost) -> None:
    fake.variables = {}
    with pytest.raises(RefusedError, match="ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN"):
        run_task(fake.ask(), fake.host())
    assert not (fake.state / "runs").exists()


def test_a_plan_needs_no_key(fake: ModelHost) -> None:
    fake.variables = {}
    request = plan_request(fake.ask(), fake.host())
    assert request.image.ref.name == "claude"
    assert request.policy.network.inject[0].host == "api.anthropic.com"


def test_a_companys_own_gateway_is_one_setting(fake: ModelHost) -> None:
    fake.settings = {
        "agents": {"claude": {"url": "https://models.company.test/anthropic", "secret": "COMPANY_KEY", "model": "m-1"}}
    }
    fake.variables = {"COMPANY_KEY": KEY}
    decision = decide(fake.ask(), fake.host())
    [injection] = decision.loaded.policy.network.inject
    assert (injection.host, injection.secret) == ("models.company.test", "COMPANY_KEY")
    assert decision.command.environment["ANTHROPIC_BASE_URL"] == "http://models.company.test/anthropic"
    assert "m-1" in decision.command.argv


@pytest.mark.parametrize("url", ["https://models.test:8443", "https://10.0.0.1", "https://models"])
def test_an_address_that_a_gateway_cannot_serve_is_refused_with_its_setting(fake: ModelHost, url: str) -> None:
    fake.settings = {"agents": {"claude": {"url": url}}}
    with pytest.raises(UsageError, match=r"agents\.claude\.url"):
        decide(fake.ask(), fake.host())


def test_a_key_that_the_user_wants_inside_is_there_and_is_told_of(fake: ModelHost) -> None:
    prepared = prepare(fake.ask(pass_secrets=("ANTHROPIC_API_KEY",)), fake.host())
    assert prepared.secrets == {"ANTHROPIC_API_KEY": KEY}
    assert prepared.policy.network.inject == ()
    assert prepared.policy.network.allow == ("api.anthropic.com",)
    assert prepared.command.environment["ANTHROPIC_BASE_URL"] == "https://api.anthropic.com"
    assert any("is handed to the sandbox" in notice for notice in prepared.notices)


def test_a_key_is_in_no_file_of_a_run(fake: ModelHost) -> None:
    result = run_task(fake.ask(), fake.host())
    folder = Path(result.paths["run"])
    written = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert {"task.json", "policy.json", "spec.json", "result.json"} <= set(written)
    assert [name for name, data in written.items() if KEY.encode() in data] == []


@pytest.mark.parametrize("limit", ["tokens = 1000", "cost_usd = 1.0"])
def test_a_budget_that_nobody_could_watch_is_refused(fake: ModelHost, limit: str) -> None:
    chosen = policy(fake, f"[limits]\n{limit}\n")
    with pytest.raises(UnenforceableError, match=limit.split(maxsplit=1)[0]):
        decide(fake.task(policy=chosen), fake.host())
    assert decide(fake.ask(policy=chosen), fake.host()).loaded.policy.network.inject


def test_a_model_is_no_word_to_an_agent_without_one(fake: ModelHost) -> None:
    with pytest.raises(UsageError, match="--model"):
        decide(fake.task(model="m"), fake.host())


def test_the_effective_policy_of_a_run_is_written_down_with_the_way_to_the_model(fake: ModelHost) -> None:
    result = run_task(fake.ask(), fake.host())
    written: dict[str, Any] = json.loads((Path(result.paths["run"]) / "policy.json").read_text())
    assert [each["host"] for each in written["network"]["inject"]] == ["api.anthropic.com"]


def test_a_budget_is_refused_where_the_key_is_handed_in_whatever_else_is_injected(fake: ModelHost) -> None:
    """The model's answers do not pass the gateway then, although those of another host do."""
    chosen = policy(
        fake,
        '[limits]\ntokens = 1000\n[network]\nmode = "allow"\n[[network.inject]]\nhost = "registry.test"\n'
        'header = "authorization"\nsecret = "COMPANY_KEY"\n',
    )
    decide(fake.ask(policy=chosen), fake.host())
    with pytest.raises(UnenforceableError, match=r"limits\.tokens"):
        decide(fake.ask(policy=chosen, pass_secrets=("ANTHROPIC_API_KEY",)), fake.host())
