"""The policy schema: closed by default, and a sentence for everything that it refuses."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from runner.model.gates import GATES
from runner.model.policy import Limits, Network, Policy
from runner.model.policy_schema import json_schema
from runner.model.quantities import Bytes, Seconds

MOUNT = {"source": "/srv/data", "target": "/data"}
CACHE = {"name": "uv", "target": "/home/agent/.cache/uv"}


def refusal(**tables: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        Policy.model_validate(tables)
    return str(caught.value)


def test_an_empty_policy_has_no_network_no_mounts_and_every_limit() -> None:
    policy = Policy()
    assert policy.network == Network(mode="none")
    assert (policy.mounts, policy.caches, policy.sandbox.env) == ((), (), {})
    limits = policy.limits
    assert (limits.cpus, limits.memory, limits.pids, limits.disk) == (2.0, 4 * 2**30, 512, 10 * 2**30)
    assert (limits.files, limits.output, limits.cost_usd) == (1_000_000, 64 * 2**20, None)
    assert (limits.wall_clock, limits.idle, limits.grace) == (3600.0, 900.0, 10.0)
    assert policy.workspace.history == "branch"
    assert not policy.sandbox.writable_root


def test_a_policy_survives_being_written_and_read_back() -> None:
    policy = Policy.model_validate(
        {
            "description": "two\nlines",
            "network": {
                "mode": "allow",
                "allow": ["GitHub.com.", "*.x.org:8443", "@python"],
                "private": ["10.0.0.0/8"],
                "inject": [{"host": "api.x.org", "header": "X-Api-Key", "secret": "KEY"}],
            },
            "mounts": [MOUNT],
            "caches": [CACHE],
            "limits": {"memory": "1.5GiB", "wall_clock": "1h0.1s", "idle": "90.0005s", "cost_usd": 5},
            "sandbox": {"env": {"CI": "1", "A": "ü"}},
        }
    )
    read_back = Policy.model_validate_json(policy.model_dump_json())
    assert read_back == policy
    assert read_back.digest() == policy.digest()


@given(
    memory=st.integers(6 * 2**20, 2**60),
    idle=st.floats(1, 365 * 86_400, allow_nan=False),
    cpus=st.floats(0.01, 4096),
    pids=st.integers(1, 4_194_304),
)
def test_every_limit_survives_being_written_and_read_back(memory: int, idle: float, cpus: float, pids: int) -> None:
    limits = Limits(memory=Bytes(memory), idle=Seconds(idle), cpus=cpus, pids=pids)
    assert Limits.model_validate_json(limits.model_dump_json()) == limits


def test_the_digest_ignores_the_order_of_keys_and_the_spelling_of_values() -> None:
    one = Policy.model_validate(
        {"network": {"mode": "allow", "allow": ["X.org:443"]}, "sandbox": {"env": {"A": "1", "B": "2"}}}
    )
    other = Policy.model_validate(
        {"sandbox": {"env": {"B": "2", "A": "1"}}, "network": {"allow": ["x.org."], "mode": "allow"}}
    )
    assert one.digest() == other.digest()
    assert one.digest().startswith("sha256:")
    assert len(one.digest()) == len("sha256:") + 64
    assert one.digest() != Policy().digest()


@pytest.mark.parametrize(
    "switch",
    ["privileged", "network_mode", "pid", "ipc", "userns", "cap_add", "devices", "security_opt", "volumes", "user"],
)
@pytest.mark.parametrize("table", [None, "sandbox", "limits", "network", "workspace"])
def test_the_switches_that_would_end_the_sandbox_are_not_keys_anywhere(switch: str, table: str | None) -> None:
    tables = {table: {switch: True}} if table else {switch: True}
    assert "Extra inputs are not permitted" in refusal(**tables)


@pytest.mark.parametrize(
    ("limit", "value"),
    [
        ("cpus", 0), ("cpus", -1.0), ("cpus", 0.001), ("cpus", float("nan")), ("cpus", float("inf")), ("cpus", 1e9),
        ("cpus", True), ("cpus", "2"), ("pids", 0), ("pids", -1), ("pids", 2.0), ("pids", True), ("pids", 2**63),
        ("pids", 10**400), ("files", 0), ("files", -5), ("files", 10**10), ("files", "1"), ("memory", "0B"),
        ("memory", "-1GiB"), ("memory", 4), ("memory", True), ("memory", "4"), ("memory", "4h"), ("memory", "5MiB"),
        ("memory", "999999999999TiB"), ("memory", "NaNGiB"), ("disk", "infGiB"), ("disk", "1e3GiB"), ("output", ""),
        ("wall_clock", "0s"), ("wall_clock", "-1h"), ("wall_clock", 3600), ("wall_clock", "1GiB"),
        ("wall_clock", "366d"), ("idle", "999ms"), ("idle", "1"), ("grace", "0s"), ("grace", None),
        ("cost_usd", 0), ("cost_usd", -1),
        ("cost_usd", float("nan")), ("cost_usd", float("inf")), ("cost_usd", True), ("cost_usd", "5"),
    ],
)  # fmt: skip
def test_limits_that_are_no_limit_are_refused(limit: str, value: object) -> None:
    assert f"limits.{limit}" in refusal(limits={limit: value})


def test_a_plain_number_has_no_unit_also_when_code_passes_it() -> None:
    with pytest.raises(ValidationError, match="write a number and a unit"):
        Limits(memory=4 * 2**30)
    assert Limits(memory=Bytes(4 * 2**30)).memory == 4 * 2**30


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("allow", ["x.org"]),
        ("deny", ["x.org"]),
        ("private", ["10.0.0.0/8"]),
        ("inject", [{"host": "x.org", "header": "a", "secret": "B"}]),
    ],
)
def test_lists_of_a_network_that_is_off_are_refused_and_say_so(key: str, value: object) -> None:
    assert f'{key}: has no effect with network.mode = "none"' in refusal(network={key: value})
    assert Policy.model_validate({"network": {key: []}}) == Policy()
    assert Policy.model_validate({"network": {"mode": "open", key: value}}).network.mode == "open"


def test_an_empty_allow_list_is_legal_and_allows_nothing() -> None:
    assert Policy.model_validate({"network": {"mode": "allow", "allow": []}}).network.allow == ()


def test_network_lists_hold_one_canonical_form_once() -> None:
    network = Network(mode="allow", allow=("X.org", "x.org.", "x.ORG:443", "x.org:80"), deny=("X.org:443", "x.org"))
    assert network.allow == ("x.org", "x.org:80")
    assert network.deny == ("x.org:443", "x.org")  # without a port: every port


@pytest.mark.parametrize("host", ["*.x.org", "@python", "x.org:443", "1.2.3.4", "x"])
def test_secrets_are_injected_for_exact_names_only(host: str) -> None:
    assert "inject.0.host" in refusal(
        network={"mode": "open", "inject": [{"host": host, "header": "a", "secret": "B"}]}
    )


@pytest.mark.parametrize("header", ["Host", "content-length", "Transfer-Encoding", "a b", "a:b", "a\r\nb", "", "ä"])
def test_secrets_are_not_injected_into_headers_that_frame_a_request(header: str) -> None:
    assert "inject.0.header" in refusal(
        network={"mode": "open", "inject": [{"host": "x.org", "header": header, "secret": "B"}]}
    )


def test_one_header_of_one_host_gets_one_secret() -> None:
    twice = [{"host": "x.org", "header": "a", "secret": "B"}, {"host": "X.org", "header": "A", "secret": "C"}]
    assert "inject[1]: a for x.org is injected twice" in refusal(network={"mode": "open", "inject": twice})


def test_mounts_are_read_only_unless_they_say_otherwise() -> None:
    assert Policy.model_validate({"mounts": [MOUNT]}).mounts[0].mode == "ro"
    assert "mode" in refusal(mounts=[{**MOUNT, "mode": "RW"}])
    assert "mode" in refusal(mounts=[{**MOUNT, "mode": "rw,exec"}])


@pytest.mark.parametrize(
    ("tables", "sentence"),
    [
        ({"mounts": [MOUNT, {**MOUNT, "source": "/b"}]}, 'mounts[1].target: "/data" is taken by mounts[0] already'),
        ({"mounts": [MOUNT, {"source": "/b", "target": "/data/"}]}, '"/data" is taken by mounts[0] already'),
        ({"mounts": [MOUNT], "caches": [{"name": "a", "target": "/data"}]}, "caches[0].target: "),
        ({"mounts": [MOUNT], "caches": [{"name": "a", "target": "/data/x"}]}, "lie within each other"),
        ({"mounts": [{"source": "/b", "target": "/data/x"}, MOUNT]}, "lie within each other"),
        ({"caches": [CACHE, {"name": "uv", "target": "/x"}]}, 'caches[1].name: "uv" names another cache already'),
    ],
)
def test_targets_and_names_are_taken_once(tables: dict[str, Any], sentence: str) -> None:
    assert sentence in refusal(**tables)


def test_targets_that_only_begin_alike_are_apart() -> None:
    assert Policy.model_validate({"mounts": [MOUNT, {"source": "/b", "target": "/data2"}]}).mounts[1].target == "/data2"


@pytest.mark.parametrize("name", ["", "UV", "a b", "a/b", "../a", "-a", "a_b", "a,b", "ü", "a" * 41])
def test_cache_names_are_plain(name: str) -> None:
    assert "caches.0.name" in refusal(caches=[{**CACHE, "name": name}])


@pytest.mark.parametrize("value", ["no", "yes", 1, 0, "true", None])
def test_only_true_and_false_are_yes_and_no(value: object) -> None:
    assert "writable_root" in refusal(sandbox={"writable_root": value})


def test_all_environment_faults_are_told_at_once() -> None:
    text = refusal(sandbox={"env": {"LD_PRELOAD": "x", "HOME": "/", "FINE": "1"}})
    assert "LD_PRELOAD may not be set" in text
    assert "HOME may not be set" in text
    assert "FINE" not in text.split("[type=")[0]


@pytest.mark.parametrize("name", ["API_KEY", "DB_PASS", "SENTRY_DSN", "SESSION_COOKIE"])
def test_a_secret_does_not_stand_in_a_policy_and_is_not_repeated(name: str) -> None:
    text = refusal(sandbox={"env": {name: "hunter2-hunter2"}}).split("[type=")[0]
    assert f"{name} is the name of a secret, and secrets do not stand in policies" in text
    assert "hunter2" not in text


def test_the_description_carries_no_terminal_escapes() -> None:
    assert "control character" in refusal(description="\x1b[2J")
    assert "description" in refusal(description="x" * 1001)


def test_the_editor_schema_knows_every_table_extends_and_human_defaults() -> None:
    schema = json_schema()
    assert list(schema["properties"])[:2] == ["description", "extends"]
    assert set(schema["properties"]) == {*Policy.model_fields, "extends"}
    assert schema["$defs"]["Limits"]["properties"]["idle"]["default"] == "15m"
    assert schema["$defs"]["Limits"]["additionalProperties"] is False
    json.dumps(schema, allow_nan=False)
    gates = schema["properties"]["gates"]
    assert (gates["additionalProperties"], gates["propertyNames"]["enum"]) == ({"const": "block"}, list(GATES))
