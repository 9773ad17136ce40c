"""Steps of workflow files, carried out here as a runner would: expressions filled in, each `run` given to bash."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped] # its stubs are a package of their own

EXPRESSION = re.compile(r"\$\{\{\s*([\w.-]+)\s*\}\}")
OUTPUT = re.compile(r"^(?P<name>[\w-]+)<<(?P<end>\S+)\n(?P<value>.*?)\n?^(?P=end)$", re.DOTALL | re.MULTILINE)


def load(text: str) -> Any:
    """A YAML document."""
    return yaml.safe_load(text)


@dataclass
class Runner:
    """One job: a checkout, a temporary folder, and the files that its steps write to."""

    checkout: Path
    temp: Path
    environment: dict[str, str]
    log: str = ""
    context: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the files."""
        self.temp.mkdir()
        for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT", "GITHUB_PATH"):
            file = self.temp / name.lower()
            file.touch()
            self.environment[name] = str(file)
        self.context["runner.temp"] = str(self.temp)

    def filled(self, text: object) -> str:
        """A value with its expressions filled in; one that is not known fails the test."""
        return EXPRESSION.sub(lambda found: self.context[found[1]], str(text))

    def step(self, step: Mapping[str, Any]) -> int:
        """One `run` step; the exit code."""
        added = {name: self.filled(value) for name, value in step.get("env", {}).items()}
        path = [*Path(self.environment["GITHUB_PATH"]).read_text().split(), self.environment["PATH"]]
        assert "${{" not in step["run"], "what is filled in there is a part of the script"
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            check=False,
            cwd=self.checkout,
            env={**self.environment, **added, "PATH": ":".join(path)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.log += done.stdout
        if "id" in step:
            for name, value in self.outputs().items():
                self.context[f"steps.{step['id']}.outputs.{name}"] = value
        return done.returncode

    def outputs(self) -> dict[str, str]:
        """What the steps have put out so far."""
        text = Path(self.environment["GITHUB_OUTPUT"]).read_text()
        return {found["name"]: found["value"].removesuffix("\n") for found in OUTPUT.finditer(text)}

    def action(self, folder: Path, inputs: Mapping[str, str]) -> dict[str, str]:
        """A composite action of that folder, with every step; its outputs. A step that fails fails the test."""
        document = load((folder / "action.yml").read_text())
        assert inputs.keys() <= document["inputs"].keys()
        given = {name: str(entry.get("default", "")) for name, entry in document["inputs"].items()}
        self.context |= {f"inputs.{name}": value for name, value in {**given, **inputs}.items()}
        self.context["github.action_path"] = str(folder)
        for step in document["runs"]["steps"]:
            assert self.step(step) == 0, self.log
        return {name: self.filled(entry["value"]) for name, entry in document["outputs"].items()}
