"""A repository's own image, with a real engine: shown, trusted, built without secrets and the host's network, used."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from docker import APIClient
from docker.errors import ImageNotFound

from runner.errors import ImageError
from runner.model.offer import Offer, OfferedFile
from runner.sandbox.docker_engine import DockerEngine
from runner.sandbox.docker_http import ApiError
from runner.sandbox.docker_sdk import sdk
from runner.sandbox.foreign_images import BuildLimits, ForeignImages, tag_of
from runner.settings import load_settings
from tests.integration.cli import Paddock, show
from tests.unit.repo.sources import commit

pytestmark = pytest.mark.docker

SECRET = "sk-test-0123456789abcdef"


class Yard:
    """Builds of foreign files; their images are removed at the end."""

    def __init__(self, state: Path) -> None:
        self.engine = DockerEngine(load_settings().engine, state_dir=state, progress=self.said)
        self.progress: list[str] = []
        self.base = self.engine.image("").ref.name
        self.made: list[str] = []

    def said(self, text: str) -> None:
        self.progress.append(text)

    def images(self, **details: Any) -> ForeignImages:
        return ForeignImages(self.engine.client, self.engine.images, self.said, **details)

    def offer(self, steps: str, *more: OfferedFile, stage: str = "", **details: Any) -> Offer:
        """An offer on the base image that no other test shares: not even by the engine's cache."""
        text = f"FROM {self.base}{stage}\nUSER 0\nENV UNIQUE={time.monotonic_ns()}\n{steps}\n"
        files = tuple(sorted((OfferedFile("Dockerfile", 0o644, text.encode()), *more)))
        offer = Offer(origin=".paddock/Dockerfile", dockerfile="Dockerfile", files=files, **details)
        self.made.append(tag_of(offer))
        return offer

    def build(self, offer: Offer, **details: Any) -> str:
        """The built image's name."""
        name = self.images(network="none", **details).obtain(offer).name
        self.made.append(name)
        return name

    def printed(self, steps: str, *more: OfferedFile, **details: Any) -> str:
        """What a step of a build prints, told by the reason for which it then fails."""
        with pytest.raises(ImageError) as caught:
            self.build(self.offer(f"{steps}; exit 1", *more, **details))
        return f"{caught.value.message} {caught.value.hint}"

    def close(self) -> None:
        wrapped = self.engine.client.images({"label": ["paddock.image=wrap"]})
        self.made += [image["Id"] for image in wrapped if image["Labels"].get("paddock.base") in self.made]
        with sdk(self.engine.client) as client:
            for name in reversed(self.made):
                with suppress(ImageNotFound):
                    client.remove_image(name, force=True)


@pytest.fixture
def yard(state_dir: Path) -> Iterator[Yard]:
    yard = Yard(state_dir)
    yield yard
    yard.close()


def containers(client: APIClient, word: str) -> list[str]:
    return [row["Id"] for row in client.containers(all=True) if word in row["Command"]]


def test_a_build_sees_no_variable_password_or_proxy_of_its_user(
    yard: Yard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, docker_client: APIClient
) -> None:
    config = {
        "auths": {"registry.example.test": {"auth": "am9lOnMzY3JldA=="}},
        "proxies": {"default": {"httpProxy": f"http://joe:{SECRET}@proxy.example.test:3128"}},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("ANTHROPIC_API_KEY", SECRET)
    monkeypatch.setenv("HTTPS_PROXY", f"http://joe:{SECRET}@proxy.example.test:3128")
    fresh = Yard(tmp_path / "state")
    sent: list[dict[str, str]] = []
    send = APIClient.send

    def watched(client: APIClient, request: Any, **details: Any) -> Any:
        sent.append(dict(request.headers))
        return send(client, request, **details)

    monkeypatch.setattr(APIClient, "send", watched)
    try:
        # The control leg: what the SDK's own build hands over.
        with pytest.raises(ApiError), sdk(fresh.engine.client) as client:
            list(client.build(fileobj=io.BytesIO(b""), custom_context=True))
        assert any("X-Registry-Config" in headers for headers in sent)
        sent.clear()
        said = fresh.printed(
            "RUN env | grep -i -e proxy -e key -e joe | sed 's/^/fo''und: /'; ls /sys/class/net; echo o''ver"
        )
    finally:
        fresh.close()
    assert " over" in said
    assert "found: " not in said
    assert any(headers.get("Content-Type") == "application/tar" for headers in sent)
    assert not [headers for headers in sent if "X-Registry-Config" in headers or "X-Registry-Auth" in headers]


def test_the_limits_of_a_build_hold(yard: Yard) -> None:
    said = yard.printed(
        "RUN cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null; "
        "cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null"
    )
    assert str(4 * 2**30) in said
    assert "200000" in said


def test_a_build_that_takes_too_long_is_ended_with_its_container(yard: Yard, docker_client: APIClient) -> None:
    begin = time.monotonic()
    with pytest.raises(ImageError, match="took longer than 3 s and was stopped"):
        yard.build(yard.offer("RUN sleep 4321"), limits=BuildLimits(seconds=3))
    assert time.monotonic() - begin < 30
    end = time.monotonic() + 20
    while containers(docker_client, "sleep 4321") and time.monotonic() < end:
        time.sleep(0.1)
    assert containers(docker_client, "sleep 4321") == []


def test_arguments_and_target_of_a_devcontainer_reach_the_build(yard: Yard) -> None:
    steps = f"ARG WORD=none\nENV SAID=$WORD\nFROM {yard.base} AS unwanted\nRUN false"
    offer = yard.offer(steps, stage=" AS wanted", arguments={"WORD": "given"}, target="wanted")
    assert yard.build(offer).startswith("paddock/wrap:")
    assert "SAID=given" in yard.engine.client.inspect_image(tag_of(offer))["Config"]["Env"]


def test_a_copy_from_outside_of_the_context_fails(yard: Yard) -> None:
    with pytest.raises(ImageError, match="Docker could not build") as caught:
        yard.build(yard.offer("COPY ../../etc /host"))
    assert "etc" in caught.value.message


def test_an_unchanged_offer_is_built_once(yard: Yard) -> None:
    offer = yard.offer("RUN true")
    assert yard.build(offer) == yard.build(offer)
    assert len([line for line in yard.progress if line.startswith("Building paddock/repo:")]) == 1


def test_the_labels_of_a_repository_do_not_replace_ours(yard: Yard) -> None:
    offer = yard.offer("LABEL paddock.image=base")
    yard.build(offer)
    assert yard.engine.client.inspect_image(tag_of(offer))["Config"]["Labels"]["paddock.image"] == "repo"


def test_the_engine_fetches_an_add_from_the_hosts_own_network(yard: Yard) -> None:
    """Why such an ADD is refused: the control leg, in a build that has no network at all."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yard.build(yard.offer(f"ADD http:\\//127.0.0.1:{server.server_port}/canary /x"))
        finally:
            server.shutdown()
            thread.join()
    assert asked == ["/canary"]


# --- the command ----------------------------------------------------------------------------------------------------


@pytest.fixture
def settled(paddock: Paddock, tmp_path: Path) -> Paddock:
    """The command, with a config folder of the test's own."""
    (tmp_path / "config").mkdir(mode=0o700)
    paddock.variables["PADDOCK_CONFIG"] = str(tmp_path / "config" / "config.toml")
    return paddock


def offering(repository: Path, yard: Yard, steps: str) -> None:
    folder = repository / ".paddock"
    folder.mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text(f"FROM {yard.base}\nUSER 0\nENV UNIQUE={time.monotonic_ns()}\n{steps}\n")
    (folder / "evil\x1b[2J").write_text("x")
    commit(repository, "offer")


def test_an_image_is_shown_trusted_built_and_used_and_a_change_is_refused(
    settled: Paddock, repository: Path, yard: Yard, tmp_path: Path
) -> None:
    offering(repository, yard, 'RUN touch /built-here\nCOPY . /context/\nENTRYPOINT ["/bin/false"]')
    (repository / ".paddock" / ".env").write_text(SECRET)

    refused = settled("run", repository, "--json", "--image", "repo", "--", "true")
    assert (refused.code, refused.document["outcome"]) == (30, "refused")
    assert f"paddock trust {repository}" in refused.document["reason"]

    unasked = settled("trust", repository)
    assert (unasked.code, "no terminal to ask on" in unasked.err) == (30, True), unasked.err
    assert "  | RUN touch /built-here" in unasked.out
    assert "\x1b" not in unasked.out
    assert SECRET not in unasked.out

    assert "Trusted for" in settled("trust", repository, "--yes").err
    listed = settled.good("trust", "--list")
    digest = unasked.out.rpartition("Digest: sha256:")[2].strip()
    yard.made.append(f"paddock/repo:{digest}")
    assert digest[:12] in listed

    script = "ls -A /built-here /context >seen && git add seen && git commit -qm seen && id -u"
    document = settled.run(repository, script, "--image", "repo")
    assert document["outcome"] == "completed", document["reason"]
    seen = show(repository, document["branch"], "seen").split("\n")
    assert "/built-here" in seen
    assert "Dockerfile" in seen
    assert ".env" not in seen
    plain = settled.run(repository, "test ! -e /built-here")
    assert plain["outcome"] == "no-changes"
    assert any(".paddock/Dockerfile" in notice for notice in plain["notices"])

    offering(repository, yard, "RUN touch /changed-since")
    changed = settled("run", repository, "--json", "--image", "repo", "--", "true")
    assert (changed.code, "is not trusted" in changed.document["reason"]) == (30, True)

    assert "no longer trusted" in settled.good("trust", repository, "--revoke")
    assert settled("run", repository, "--json", "--image", "repo", "--base", "HEAD~1", "--", "true").code == 30
