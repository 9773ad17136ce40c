"""`paddock doctor --network`: the network's self-test alone, in a throw-away sandbox whose policy lists nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from runner.errors import PaddockError
from runner.model.policy import Network, Policy
from runner.model.request import Command, Request
from runner.model.spec import SandboxSpec
from runner.plan import plan_sandbox
from runner.report.health import Finding, Level
from runner.run.host import Host, agent_identity
from runner.run.network import open_network
from runner.run.places import places_of, ready_programs
from runner.run.repo_image import settings_of
from runner.run.route import decide_route
from runner.run.start import await_report, open_box
from runner.sandbox.control import listen
from runner.sandbox.etc_files import sandbox_etc
from runner.sandbox.proof import NO_WAY, NXDOMAIN, NetworkProof, Proof, parse_proof, shortfalls
from runner.store.files import make_folder, write_whole
from runner.store.runs import RunPaths, create_run
from runner.store.tree import remove_tree

CHECK = "network-check"
ADVICE = "No run with a network starts on this machine like this; `paddock run` in mode none still does."


def check_network(host: Host) -> Iterator[Finding]:
    """What a sandbox in mode `allow` with an empty list meets. Nothing is left of it, and no agent is started."""
    try:
        spec, proof = prove_network(host)
    except PaddockError as error:
        yield Finding(
            name=CHECK,
            level=Level.FAILED,
            value="the self-test did not come to its end",
            meaning=error.message,
            advice=error.hint or ADVICE,
        )
        return
    yield from judged(spec, proof)


def judged(spec: SandboxSpec, proof: Proof) -> Iterator[Finding]:
    """A finding for each thing that the network promises, and one for the rest of the proof."""
    network = proof.network or NetworkProof(fault="the sandbox serves no network", canary="", unreachable={})
    yield _finding("gateway", network.fault, "the gateway answers, and DNS inside is bound")
    refused = network.lookup.startswith("NO") and network.answer == NXDOMAIN
    heard = f"the gateway said {network.lookup!r}, DNS inside answered with code {network.answer}"
    yield _finding("canary", "" if refused else heard, f"{network.canary} is refused: NXDOMAIN")
    ways = [
        f"a way to {address} is not refused: {network.unreachable.get(address)}"
        for address, refusals in NO_WAY.items()
        if network.unreachable.get(address) not in refusals
    ]
    ways += [f"there is a route through {name}" for name in proof.routes]
    yield _finding("route", "; ".join(ways), "no route leads out")
    others = [name for name in proof.interfaces if name != "lo"]
    yield _finding("interface", f"up: {', '.join(others)}" if others else "", "loopback is the only interface")
    yield _finding("sandbox", "; ".join(shortfalls(spec, proof)), "the kernel holds all of the spec")


def _finding(name: str, fault: str, good: str) -> Finding:
    if not fault:
        return Finding(name=f"net-{name}", level=Level.OK, value=good)
    return Finding(
        name=f"net-{name}",
        level=Level.FAILED,
        value=fault,
        meaning="runs with a network are refused",
        advice=ADVICE,
    )


def prove_network(host: Host) -> tuple[SandboxSpec, Proof]:
    """Start the sandbox as far as its proof. Raises `EngineError`, `RefusedError`."""
    with throw_away(host) as paths:
        request = request_of(paths, host)
        spec = plan_sandbox(request)
        ready_programs(host.settings)
        for folder in (paths.workspace, paths.control, paths.etc):
            make_folder(folder, 0o755)
        for name, text in sandbox_etc(request.identity).items():
            write_whole(paths.etc / name, text, mode=0o644)
        route = decide_route(request.policy.network, request.image.ref, host)
        with (
            open_network(route, paths, outside=host.outside),
            listen(paths.control) as handshake,
            open_box(host.engine, spec, {}) as box,
        ):
            box.start()
            return spec, parse_proof(await_report(spec, box, handshake, host.clock))


@contextmanager
def throw_away(host: Host) -> Iterator[RunPaths]:
    """A run's directory that no ledger knows, and that is gone afterwards."""
    paths = create_run(host.settings.state_dir, CHECK, host.clock.now().date())
    try:
        yield paths
    finally:
        remove_tree(paths.directory)


def request_of(paths: RunPaths, host: Host) -> Request:
    """The closed policy with a gateway that lets nothing out, on the base image."""
    image = host.engine.image("")
    return Request(
        run=paths.id,
        policy=Policy(network=Network(mode="allow")),
        command=Command(argv=("true",)),
        image=settings_of(image),
        identity=agent_identity(host.user, host.user),
        places=places_of(host.settings, paths),
    )
