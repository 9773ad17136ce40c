"""Writes the generated parts of README.md and docs/: what stands between `<!-- generated: NAME -->` and `<!-- end -->`.

`docs/policies.md` is generated whole.
`--check` writes nothing and exits with 1 when a part is out of date.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
HOSTILE = ROOT / "tests" / "hostile"
CASES = HOSTILE / "cases"
PART = re.compile(r"(<!-- generated: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def cell(text: object) -> str:
    """One cell of a table."""
    return " ".join(str(text).split()).replace("|", "\\|")


def table(titles: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    """A Markdown table."""
    lines = [titles, ("---",) * len(titles), *rows]
    return "".join(f"| {' | '.join(map(cell, line))} |\n" for line in lines)


def commands() -> str:
    """Each command with its arguments and options."""
    from typer.main import get_command

    from runner.cli.app import app

    return command_section("paddock", get_command(app))


def command_section(path: str, command: Any) -> str:
    """One command and everything under it."""
    if hasattr(command, "commands"):
        return "\n".join(command_section(f"{path} {name}", inner) for name, inner in command.commands.items())
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    usage = " ".join([path, "[OPTIONS]", *(parameter.metavar or parameter.name.upper() for parameter in arguments)])
    rows = [(f"`{name}`", text) for name, text in parameter_rows(command.params)]
    sentence = " ".join((command.help or "").split())
    options = "\n" + table(("", "meaning"), rows) if rows else ""
    return f"### {path}\n\n{sentence}\n\n    {usage}\n{options}"


def parameter_rows(parameters: list[Any]) -> Iterator[tuple[str, str]]:
    """Name and meaning of each argument and option; those that every command has are left out."""
    for parameter in parameters:
        if parameter.param_type_name == "argument":
            yield parameter.metavar or parameter.name.upper(), parameter.help or ""
        elif parameter.name != "help":
            value = "" if parameter.is_flag else f" {parameter.metavar or parameter.name.upper()}"
            yield ", ".join(parameter.opts) + value, parameter.help or ""


def exit_codes() -> str:
    """Outcomes and exit codes."""
    from runner.model.result import DESCRIPTIONS, EXIT_CODES, EXIT_EXPECTED_CHANGES, EXIT_TASKS_FAILED, EXIT_UNVERIFIED

    rows: list[tuple[object, ...]] = [
        (f"`{outcome}`", code, DESCRIPTIONS[outcome]) for outcome, code in EXIT_CODES.items()
    ]
    rows += [
        ("", EXIT_EXPECTED_CHANGES, "`no-changes` under `--expect-changes`."),
        ("", EXIT_TASKS_FAILED, "`paddock batch run`, and what is done after it: some of the tasks did not succeed."),
        ("", EXIT_UNVERIFIED, "`paddock verify`: something is not as the record says."),
        ("", 2, "The command line cannot be understood, or no run has that id."),
        ("", 124, "`paddock wait --timeout`: a run is still running."),
    ]
    return table(("outcome", "exit", "meaning"), rows)


def gates() -> str:
    """The gates, in their order."""
    from runner.model.gates import GATES
    from runner.repo.gates import CHECKS

    rows: list[tuple[object, ...]] = [
        (f"`{name}`", *GATES[name], (check.__doc__ or "").strip().split("\n\n")[0]) for name, check in CHECKS.items()
    ]
    return table(("gate", "a hit is", "shown under", "what it looks for"), rows)


def agents() -> str:
    """The agents that can be named with `--agent`, each with the keys that it can use."""
    from runner.agents.table import agents as known

    rows: list[tuple[object, ...]] = []
    for name, agent in known().items():
        keys = [f"`{key.variable}`" for provider in agent.providers("") for key in provider.keys]
        rows.append((f"`{name}`", agent.description, ", ".join(keys) or "none"))
    return table(("agent", "what it is", "keys, the first that there is"), rows)


def settings() -> str:
    """Keys of the user's config file, and their variables."""
    from runner.model.settings import Settings

    rows: list[tuple[object, ...]] = [
        (f"`{name}`", f"`PADDOCK_{name.upper()}`", field.description) for name, field in Settings.model_fields.items()
    ]
    return table(("key", "variable", "meaning"), rows)


def threats() -> str:
    """Each threat: what stops it, which cases and tests attack it, and what of it is not covered."""
    rows: list[tuple[object, ...]] = []
    known = tomllib.loads((HOSTILE / "threats.toml").read_text())
    for name, threat in known.items():
        cases = "every case" if threat.get("every_case") else "; ".join(filter(None, (attacks(name), proofs(threat))))
        rows.append((name, threat["title"], threat["stopped_by"], cases, threat["not_covered"] or "-"))
    rows += [
        (more.name, "Neighbours of these", "As above.", attacks(more.name), "-")
        for more in sorted(CASES.glob("*-more"))
    ]
    return table(("", "threat", "what stops it", "cases and tests", "not covered"), rows)


def attacks(threat: str) -> str:
    """The cases of one threat."""
    return ", ".join(f"`{case.name}`" for case in sorted((CASES / threat).glob("*")) if case.is_dir())


def proofs(threat: Any) -> str:
    """Tests elsewhere that attack a threat: their names are sentences."""
    return "; ".join(test.partition("::test_")[2].replace("_", " ") for test in threat.get("tests", ()))


def attack_tests() -> str:
    """What the other modules of the hostile suite prove: their tests' names are sentences."""
    parts = []
    for module in sorted(HOSTILE.glob("test_*.py")):
        names = re.findall(r"^def test_(\w+)", module.read_text(), re.MULTILINE)
        if module.name != "test_hostile.py":
            sentences = "".join(f"- {name.replace('_', ' ')}\n" for name in names)
            parts.append(f"`tests/hostile/{module.name}`:\n\n{sentences}")
    return "\n".join(parts)


def night_policy() -> str:
    """The README's policy, as the file is."""
    return f"```toml\n{(ROOT / 'docs' / 'examples' / 'night.toml').read_text()}```\n"


def decisions() -> str:
    """A line for each decision, with its title."""
    pages = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    titles = [page.read_text().partition("\n")[0].removeprefix("# ") for page in pages]
    return "".join(f"- [{title}]({page.name})\n" for title, page in zip(titles, pages, strict=True))


def where_fields() -> str:
    """What `--where` may ask for."""
    from runner.batch.where import FIELDS

    kinds = {"text": "`=` `!=` `~`", "words": "`=` `!=` `~`", "yes-no": "`=` `!=`"}
    compared = [kinds.get(field.kind, "`=` `!=` `<` `<=` `>` `>=`") for field in FIELDS.values()]
    rows: list[tuple[object, ...]] = [
        (f"`{name}`", sign, field.meaning) for (name, field), sign in zip(FIELDS.items(), compared, strict=True)
    ]
    return table(("field", "compared with", "meaning"), rows)


def batch_keys() -> str:
    """Every key of a batch file, table by table."""
    from runner.model import batch

    tables = {
        "": batch.BatchFile,
        "[machine]": batch.MachineWords,
        "[providers.NAME]": batch.ProviderWords,
        "[matrix]": batch.Matrix,
        "[[matrix.prompts]]": batch.PromptWords,
        "[[matrix.agents]]": batch.AgentWords,
        "[[tasks]]": batch.TaskWords,
        "[[repos]]": batch.RepoWords,
        "[defaults], and in [[tasks]], [[repos]] and [[matrix.repos]]": batch.CommonWords,
    }
    rows: list[tuple[object, ...]] = []
    for name, model in tables.items():
        common = batch.CommonWords.model_fields if model is not batch.CommonWords else {}
        rows += [
            (f"`{name}`" if name else "top", f"`{key}`", field.description)
            for key, field in model.model_fields.items()
            if key not in common or not issubclass(model, batch.CommonWords)
        ]
    return table(("table", "key", "meaning"), rows)


PARTS: dict[str, Callable[[], str]] = {
    "commands": commands,
    "exit-codes": exit_codes,
    "gates": gates,
    "agents": agents,
    "settings": settings,
    "night-policy": night_policy,
    "decisions": decisions,
    "threats": threats,
    "attack-tests": attack_tests,
    "batch-keys": batch_keys,
    "where-fields": where_fields,
}


def rendered(name: str, text: str) -> str:
    """A page as it should be: whole from the code, or with its generated parts renewed."""
    if name == "docs/policies.md":
        from runner.report.policy_doc import policy_page

        return policy_page()
    return PART.sub(lambda match: f"{match[1]}\n{PARTS[match['name']]()}\n{match[3]}", text)


def main() -> int:
    """0 when every part is up to date, or was written."""
    check = "--check" in sys.argv[1:]
    stale = False
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text = page.read_text()
        name = page.relative_to(ROOT).as_posix()
        if (wanted := rendered(name, text)) == text:
            continue
        if check:
            stale = True
            print(f"{name} is out of date: run `make docs`", file=sys.stderr)
        else:
            page.write_text(wanted)
            print(f"wrote {name}", file=sys.stderr)
    return int(stale)


if __name__ == "__main__":
    sys.exit(main())
