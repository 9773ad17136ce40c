"""Images of agents and stacks, as a sandbox runs them: any user, nothing writable but a few places, no network.

Each is built on first use, so that the first of these tests on a machine takes as long as the registries need.
"""

from __future__ import annotations

from pathlib import Path
from threading import Thread

import pytest
from docker import APIClient

from runner.errors import ImageError
from runner.sandbox.images import ImageStore
from runner.sandbox.pins import read_pins
from runner.shipped import shipped
from tests.conftest import engine_api

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

PINS = read_pins(shipped("images"))

AGENTS = {
    "claude": "claude --version",
    "codex": "codex --version",
    "gemini": "gemini --version",
    "opencode": "opencode --version",
    "aider": "LITELLM_LOCAL_MODEL_COST_MAP=True aider --version",
    "mini": "mini --help >/dev/null && mini --help",
}
"""What prints the agent's version, among other things."""

STACKS = {
    "python": """
        printf 'import sys\\ndef test_it(): print("hello")\\n' > test_it.py
        pytest -q -s test_it.py
        uv venv --quiet --offline made && made/bin/python -c 'print("venv")'
        printf '#include <Python.h>\\nint main() { return 0; }' > a.cc
        g++ $(python3-config --includes) a.cc -o a && ./a
        uv --version
        """,
    "node": """
        echo '{"name": "a", "version": "1.0.0", "scripts": {"test": "node --test"}}' > package.json
        echo 'require("node:test")("it", () => console.log("hello"));' > a.test.js
        npm test
        npx --version
        node --version
        """,
    "go": """
        go mod init example.test/a
        printf 'package main\\nfunc main() { println("hello") }\\n' > main.go
        printf 'package main\\nimport "testing"\\nfunc TestIt(t *testing.T) {}\\n' > main_test.go
        go run . && go test . && gofmt -l .
        go version
        """,
    "rust": """
        cargo init --quiet --vcs none --name a .
        echo 'fn main() { println!("hello"); }' > src/main.rs
        cargo run --quiet && cargo test --quiet && cargo clippy --quiet && cargo fmt
        """,
    "java": """
        echo 'class A { public static void main(String[] a) { System.out.println("hello"); } }' > A.java
        javac A.java && java A
        mvn --version
        """,
}
"""Builds and runs something that prints hello, and tells the version that is pinned if one is."""

GROUPS = {"node": "npm", "go": "go", "rust": "rust", "python": "python"}
"""What a stack's tools give a meaning to: `@npm` and its like."""


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def images(tmp_path_factory: pytest.TempPathFactory, said: list[str]) -> ImageStore:
    """One state directory for all workers of a session, so that they wait for each other's builds."""
    shared = tmp_path_factory.getbasetemp().parent / "images"
    return ImageStore(engine_api(), said.append, state_dir=shared)


def run_inside(client: APIClient, image: str, script: str) -> tuple[int, str]:
    """Exit code and output of a shell script in a container closed like a sandbox, for a user nobody has heard of."""
    mine = "uid=4242,gid=4242,exec"
    created = client.create_container(
        image,
        ["sh", "-euc", script],
        user="4242:4242",
        working_dir="/workspace",
        environment={"HOME": "/home/agent"},
        labels={"paddock.role": "test"},
        host_config=client.create_host_config(
            network_mode="none",
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            tmpfs={"/tmp": "exec", "/workspace": mine, "/home/agent": mine},
        ),
    )
    try:
        client.start(created["Id"])
        code = int(client.wait(created["Id"], timeout=120)["StatusCode"])
        return code, client.logs(created["Id"]).decode()
    finally:
        client.remove_container(created["Id"], force=True)


@pytest.mark.parametrize("agent", AGENTS)
def test_an_agent_starts_in_its_pinned_version(agent: str, docker_client: APIClient, images: ImageStore) -> None:
    code, output = run_inside(docker_client, images.resolve(agent).name, AGENTS[agent])

    assert code == 0, output
    assert PINS[agent].version in output


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_builds_and_runs_a_program(stack: str, docker_client: APIClient, images: ImageStore) -> None:
    code, output = run_inside(docker_client, images.resolve(stack).name, STACKS[stack])

    assert code == 0, output
    assert "hello" in output
    assert (PINS[stack].version if stack in PINS else "hello") in output


@pytest.mark.parametrize("stack", GROUPS)
def test_a_stacks_registries_are_known(stack: str, docker_client: APIClient, images: ImageStore) -> None:
    script = f"""
        python3 -I -B /usr/local/share/paddock/find-registries > found
        python3 -c 'import json; print(len(json.load(open("found"))["{GROUPS[stack]}"]))'
        """
    code, output = run_inside(docker_client, images.resolve(stack).name, script)

    assert code == 0, output
    assert int(output) > 0


def test_an_agent_and_a_stack_are_in_one_image_which_is_built_once(
    docker_client: APIClient, images: ImageStore, said: list[str]
) -> None:
    image = images.resolve("claude+python")
    script = "claude --version; uv --version; find / -xdev -type f -perm /6000 2>/dev/null || true"
    code, output = run_inside(docker_client, image.name, script)

    assert image.name.startswith("paddock/claude-python:")
    assert code == 0, output
    assert len(output.splitlines()) == 2, output
    said.clear()
    assert images.resolve("python+claude") == image
    assert said == []


def test_two_that_ask_for_an_image_at_the_same_time_wait_for_one_build(
    docker_client: APIClient, tmp_path: Path, images: ImageStore
) -> None:
    """A name that no other test asks for, so that it can be removed."""
    images.resolve("go")
    image = images.resolve("codex+go")
    images.remove(image.name)
    said: list[list[str]] = [[], []]
    asking = [
        Thread(target=ImageStore(engine_api(), lines.append, state_dir=tmp_path).resolve, args=("codex+go",))
        for lines in said
    ]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()

    built = [lines for lines in said if any(line.startswith("Building paddock/codex-go:") for line in lines)]
    assert len(built) == 1
    assert images.resolve("codex+go").name == image.name


def test_an_agent_goes_onto_an_image_of_somebody_else(docker_client: APIClient, images: ImageStore) -> None:
    image = images.onto(images.wrap(images.base().name), "opencode")
    code, output = run_inside(docker_client, image.name, "opencode --version")

    assert (code, output.strip()) == (0, PINS["opencode"].version)


def test_what_mini_needs_to_ask_a_model_for_tools_is_there(docker_client: APIClient, images: ImageStore) -> None:
    """litellm imports it late, and retries for ever without it."""
    script = """
        export MSWEA_CONFIGURED=true MSWEA_MODEL_RETRY_STOP_AFTER_ATTEMPT=1
        export OPENAI_API_KEY=none OPENAI_API_BASE=http://127.0.0.1:9 LITELLM_LOCAL_MODEL_COST_MAP=True
        timeout 60 mini -y --exit-immediately -m openai/any -t hello || true
        """
    _, output = run_inside(docker_client, images.resolve("mini").name, script)

    assert "Connection error" in output
    assert "ModuleNotFoundError" not in output


def test_the_pins_are_compared_with_the_registries(images: ImageStore) -> None:
    found = {pin.image: pin for pin in images.freshness()}

    assert set(found) == set(PINS)
    assert {name: pin.pinned for name, pin in found.items()} == {name: pin.version for name, pin in PINS.items()}
    assert all(pin.newest[:1].isdigit() for pin in found.values()), found


@pytest.mark.parametrize("name", ["claude+cobol", "claude+", "cobol+claude"])
def test_an_unknown_part_is_refused_before_anything_is_built(name: str, images: ImageStore, said: list[str]) -> None:
    with pytest.raises(ImageError, match="is made of parts") as caught:
        images.resolve(name)
    assert "stacks: go, java, node, python, rust" in caught.value.hint
    assert said == []
