"""How things are measured: commands in turn, several rounds of each, the median; and a finding beside its target."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One number, and what it may be at most."""

    name: str
    value: float
    target: float | None
    """`None` where none was set."""
    unit: str = "x"
    detail: str = ""

    @property
    def met(self) -> bool:
        """Whether the target is met."""
        return self.target is None or self.value <= self.target

    def line(self) -> str:
        """The finding for a person: name, number, target, verdict, and what the number is made of."""
        number = self._number(self.value)
        if self.target is None:
            return f"{self.name:<52}{number:>10}   {'no target':<24}{self.detail}"
        verdict = "ok" if self.met else "MISSED"
        return f"{self.name:<52}{number:>10}   target {self._number(self.target):<9}{verdict:<8}{self.detail}"

    def _number(self, value: float) -> str:
        return f"{value:.4g} {self.unit}".strip()


@dataclass(frozen=True)
class Samples:
    """The seconds that one thing took, once for each round."""

    seconds: Sequence[float]

    @property
    def median(self) -> float:
        """The middle one."""
        return median(self.seconds)

    def __str__(self) -> str:
        low, _, high = quantiles(self.seconds, n=4) if len(self.seconds) > 1 else (self.median,) * 3
        return f"{self.median * 1000:.0f} ms ({low * 1000:.0f}-{high * 1000:.0f})"


def interleave(things: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Samples]:
    """Do each thing once to warm up, then all of them in turn, `rounds` times: a slow minute meets all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in things}
    for number in range(rounds + 1):
        for name, thing in things.items():
            begin = time.perf_counter()
            thing()
            if number:
                seconds[name].append(time.perf_counter() - begin)
    return {name: Samples(tuple(taken)) for name, taken in seconds.items()}


def ratio(name: str, measured: Samples, floor: Samples, target: float | None) -> Finding:
    """How many times longer something took than its floor, medians compared; quartiles in the detail."""
    return Finding(name=name, value=measured.median / floor.median, target=target, detail=f"{measured} / {floor}")


def users_environment() -> dict[str, str]:
    """The environment as it is, but for a switch that keeps Python from compiling a program once and for all."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def call(*argv: str | Path, environment: Mapping[str, str] | None = None) -> str:
    """Run a command to its end and give its standard output. Anything but exit code 0 ends the benchmark."""
    done = subprocess.run(
        [str(word) for word in argv],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**users_environment(), **(environment or {})},
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, argv))} failed ({done.returncode}):\n{done.stderr.strip()}")
    return done.stdout
