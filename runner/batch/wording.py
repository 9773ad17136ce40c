"""Decides the words of one task of a batch: who works, on what, with which prompt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from runner.batch.layers import Laid
from runner.batch.prompts import filled, unknown_in
from runner.errors import RefusedError, UsageError
from runner.escape import escape_text
from runner.model.batch import Work
from runner.model.settings import Settings
from runner.model.task import Task, TaskResult
from runner.model.template import render
from runner.repo.urls import is_url, parse_url
from runner.store.batch_files import BatchSource, PromptFiles, absolute
from runner.store.run_id import slug_of
from runner.store.templates import find_template
from runner.store.toml_lines import KeyPath

COMMAND = "command"


@dataclass(frozen=True, kw_only=True)
class Words:
    """What a task's words are decided with."""

    source: BatchSource
    settings: Settings
    home: Path
    templates: Path
    prompts: PromptFiles


@dataclass(frozen=True)
class Prompt:
    """What is asked of an agent."""

    text: str = ""
    title: str = ""
    result: TaskResult = "branch"


def words_of(name: str, repo: str, laid: Laid, path: KeyPath, words: Words) -> tuple[Work | None, list[str]]:
    """The work that a task is, or what is wrong with it."""
    source, values = words.source, laid.values
    agent = COMMAND if "command" in values else values.get("agent") or words.settings.agent
    faults = [source.fault(place, sentence) for place, sentence in laid.faults]
    faults += repo_faults(repo, path, source) + agent_faults(agent, laid, path, source)
    prompt, found = prompt_of(name, repo, agent, laid, words)
    faults += found
    if faults:
        return None, faults
    task = task_of(repo, agent, prompt, laid, words)
    work = Work(
        task=task,
        until="until" in values,
        max_rounds=values.get("max_rounds"),
        review=values.get("review", ""),
        retry_failed=values.get("retry_failed", 0),
    )
    return work, []


def task_of(repo: str, agent: str, prompt: Prompt, laid: Laid, words: Words) -> Task:
    """The task as `run_task` takes it."""
    values, settings = laid.values, words.settings
    return Task(
        repo=repo,
        base=values.get("base", ""),
        agent=agent,
        argv=values.get("command", ()),
        prompt=prompt.text,
        title=prompt.title,
        result=prompt.result,
        model=values.get("model", ""),
        template=values.get("template", ""),
        context=tuple(_beside_file(each, words) for each in values.get("context", ())),
        beside=tuple(each if is_url(each) else _beside_file(each, words) for each in values.get("beside", ())),
        artifacts=values.get("artifacts", ()),
        notes=values.get("notes", False),
        dirty=values.get("dirty", False),
        environment=values.get("env", {}),
        pass_secrets=values.get("pass_secrets", ()),
        policy=policy_of(values.get("policy", ""), words) or settings.policy,
        repo_policy=values.get("repo_policy", True),
        image=values.get("image", "") or settings.image,
        check=values.get("until") or values.get("check", ""),
        expect_changes=values.get("expect_changes", False),
    )


def policy_of(named: str, words: Words) -> str:
    """A policy as a run takes it; a file is relative to the batch file."""
    is_file = "/" in named or named.endswith(".toml")
    return _beside_file(named, words) if is_file else named


def _beside_file(named: str, words: Words) -> str:
    return str(absolute(named, words.source.folder, words.home))


def repo_faults(repo: str, path: KeyPath, source: BatchSource) -> list[str]:
    """What is wrong with a repository as it is written."""
    if not repo:
        return [
            source.fault((*path, "repo"), "is missing; name one here, or write [[repos]] for all tasks without one")
        ]
    if not is_url(repo):
        return []
    try:
        parsed = parse_url(repo)
    except RefusedError as error:
        return [source.fault((*path, "repo"), error.message)]
    if parsed.credentials:
        hint = "a batch file is no place for them: use git's credential helper"
        return [source.fault((*path, "repo"), f"{escape_text(parsed.url)} is written with credentials; {hint}")]
    return []


def agent_faults(agent: str, laid: Laid, path: KeyPath, source: BatchSource) -> list[str]:
    """What is wrong with who works."""
    values = laid.values
    if agent != COMMAND:
        if ("max_rounds" in values) and not ("until" in values or "review" in values):
            return [source.fault(laid.origin("max_rounds"), "says nothing without until or review")]
        return []
    if "command" not in values:
        return [source.fault(path, 'has neither a command nor an agent; write agent = "claude" or command = ["make"]')]
    told = [key for key in ("until", "review", "max_rounds", "model", "template") if key in values]
    return [source.fault(laid.origin(key), "says nothing to a command; name an agent instead") for key in told]


def prompt_of(name: str, repo: str, agent: str, laid: Laid, words: Words) -> tuple[Prompt, list[str]]:
    """What is asked of the agent, or what is wrong with it."""
    if agent == COMMAND:
        return Prompt(), []
    source, values = words.source, laid.values
    key = "prompt"
    try:
        text = values.get(key, "")
        if "prompt_file" in values:
            key = "prompt_file"
            text = words.prompts.read(values[key])
        variables = {"repo": _short(repo), "agent": agent, "name": name, **values.get("variables", {})}
        if faults := undefined(text, variables, repo, laid, words):
            return Prompt(), faults
        text = filled(text, variables)
        if template := values.get("template", ""):
            key = "template"
            rendered, result = render(find_template(template, words.templates).template, text, check=_check(laid))
            return Prompt(rendered, f"{template} {text}".strip(), result), []
    except (RefusedError, UsageError) as error:
        return Prompt(), [source.fault(laid.origin(key), error.message)]
    return Prompt(text), []


def undefined(text: str, variables: dict[str, str], repo: str, laid: Laid, words: Words) -> list[str]:
    """A fault for each variable that stands for nothing: in a prompt file with that file's line."""
    values, source = laid.values, words.source
    faults = []
    for found in unknown_in(text, variables):
        sentence = (
            f"{{{found.name}}} stands for nothing on {escape_text(_short(repo))}: write it under variables, "
            f"or {{{{{found.name}}}}} for the braces themselves"
        )
        if "prompt_file" in values:
            path = words.prompts.path(values["prompt_file"])
            faults.append(f"{escape_text(str(path))}:{found.line}: {sentence}")
        else:
            faults.append(source.fault(laid.origin("prompt"), sentence))
    return faults


def _check(laid: Laid) -> str:
    return str(laid.values.get("until") or laid.values.get("check", ""))


def _short(repo: str) -> str:
    return slug_of(repo.rstrip("/").replace(":", "/").rsplit("/", 1)[-1].removesuffix(".git"))
