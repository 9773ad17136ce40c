"""What a network costs a run: time at the start, memory of the gateway, and how many can be had at once."""

from __future__ import annotations

import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from benchmarks.measure import Finding, interleave
from benchmarks.place import Place
from benchmarks.tunnels import NAME, PORT, Stage, measure_tunnels, open_stage
from runner.egress.gateway import open_gateway
from runner.egress.order import GatewayOrder
from runner.egress.rules import Rule, Rules

START_TARGET = 80
MEMORY_TARGET = 2
GATEWAYS = 50
PACE = 0.3
"""Seconds between the starts of two runs: an engine starts about seven containers a second, and a run has two."""


def measure_network(place: Place, rounds: int, at_once: int) -> list[Finding]:
    """All of it."""
    found = [measure_start(place, rounds), measure_gateways(place)]
    found += measure_tunnels(place, rounds)
    with open_stage(place) as stage:
        return [*found, measure_crowd(stage, at_once)]


def measure_start(place: Place, rounds: int) -> Finding:
    """What mode `allow` adds to a run."""
    policy = place.folder / "allow.toml"
    policy.write_text(f'extends = "offline"\n[network]\nmode = "allow"\nallow = ["{NAME}"]\n')
    taken = interleave(
        {
            "none": lambda: place.run("--", "true"),
            "allow": lambda: place.run("--policy", str(policy), "--", "true"),
        },
        rounds,
    )
    none, allow = taken["none"], taken["allow"]
    added = (allow.median - none.median) * 1000
    return Finding(
        name="what mode allow adds to a run", value=added, target=START_TARGET, unit="ms", detail=f"{allow} / {none}"
    )


def measure_gateways(place: Place) -> Finding:
    """What one more gateway takes, after a megabyte has gone through it."""
    with open_stage(place) as stage, ExitStack() as gateways:
        for number in range(2):  # what only the first one takes is part of Paddock's own memory
            add_gateway(gateways, stage, number)
        before = resident()
        for number in range(2, 2 + GATEWAYS):
            add_gateway(gateways, stage, number)
        each = (resident() - before) / GATEWAYS / 1e6
    return Finding(name="memory of a gateway", value=each, target=MEMORY_TARGET, unit="MB")


def add_gateway(gateways: ExitStack, stage: Stage, number: int) -> None:
    """A gateway that has carried something and has a connection open."""
    folder = stage.place.folder / f"gateway-{number}"
    folder.mkdir()
    rules = Rules(mode="allow", allow=(Rule(kind="name", name=NAME, ports=(PORT,)),))
    order = GatewayOrder(
        rules=rules,
        upload_limit=2**30,
        folder=folder,
        audit=folder / "egress.jsonl",
        outside=stage.outside,
    )
    gateways.enter_context(open_gateway(order))
    there = gateways.enter_context(socket.socket(socket.AF_UNIX))
    there.connect(str(folder / "gateway.sock"))
    there.sendall(f"CONNECT {NAME}:{PORT}\nGET /bytes/1000000 HTTP/1.1\r\n\r\n".encode())
    left = 1_000_000
    while left > 0:
        left -= len(there.recv(2**18))


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def measure_crowd(stage: Stage, at_once: int) -> Finding:
    """Runs whose agents are answered only when all of them have asked; how many were not."""
    command = ("curl", "--silent", "--show-error", "--max-time", "600", f"http://{NAME}:{PORT}/meet/{at_once}")
    begin = time.perf_counter()
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        asked = []
        for _ in range(at_once):
            asked.append(pool.submit(stage.run, *command))
            time.sleep(PACE)
        failed = sum(run.exception() is not None or run.result() != "ok" for run in asked)
    seconds = time.perf_counter() - begin
    return Finding(
        name=f"of {at_once} runs at once in mode allow, failed",
        value=failed,
        target=0,
        unit="",
        detail=f"{seconds:.0f} s",
    )
