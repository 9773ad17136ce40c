"""`paddock run` and `paddock plan`."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from runner.cli.console import Console
from runner.cli.terminal import answer
from runner.clock import SystemClock, timestamp
from runner.errors import EngineError, PaddockError, UsageError
from runner.escape import escape_text
from runner.model.result import EXIT_CODES, Digests, Outcome, RunResult
from runner.model.settings import Settings
from runner.model.task import Task
from runner.plan import plan_sandbox
from runner.repo.urls import is_url, parse_url
from runner.run.cancellation import Cancellation
from runner.run.execute import run_task
from runner.run.host import Host
from runner.run.prepare import plan_request
from runner.sandbox.docker_args import create_request
from runner.sandbox.engine import Engine
from runner.sandbox.late_engine import LateEngine
from runner.settings import home, load_settings, variable

MAX_PROMPT = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class TaskOptions:
    """The words of the command line."""

    repo: str
    words: list[str]
    policy: str | None = None
    agent: str | None = None
    prompt_file: Path | None = None
    name: str = ""
    base: str = ""
    dirty: bool = False
    env: list[str] = field(default_factory=list)
    image: str = ""
    expect_changes: bool = False
    observe: bool = False


def run_command(options: TaskOptions, *, as_json: bool) -> int:
    """Carry out one run and show how it ended; the exit code."""
    console = Console(stdout_is_taken=as_json)
    try:
        with cancellation_by_signals() as cancellation:
            settings = load_settings()
            result = run_task(task_of(options, settings), host_of(settings, console, cancellation))
    except KeyboardInterrupt:
        result = nothing_started(options, Outcome.CANCELLED, EXIT_CODES[Outcome.CANCELLED], "")
    except PaddockError as error:
        if not as_json:
            raise
        outcome = Outcome.ENGINE_FAILED if isinstance(error, EngineError) else Outcome.REFUSED
        result = nothing_started(options, outcome, error.exit_code, f"{error.message} {error.hint}".strip())
        console.failure(error)
    if as_json:
        answer(result.model_dump_json(indent=2))
    else:
        console.summary(result)
    return result.exit_code


def plan_command(options: TaskOptions, *, docker: bool) -> None:
    """Print the decision, and touch nothing."""
    settings = load_settings()
    task = task_of(options, settings)
    spec = plan_sandbox(plan_request(task, host_of(settings, Console(stdout_is_taken=True), Cancellation())))
    answer(json.dumps(create_request(spec), indent=2) if docker else spec.model_dump_json(indent=2))


def host_of(settings: Settings, console: Console, cancellation: Cancellation) -> Host:
    """This machine, with the real engine."""

    def load() -> Engine:
        from runner.sandbox.docker_engine import DockerEngine

        return DockerEngine(settings.engine, state_dir=settings.state_dir, progress=console.progress)

    return Host(
        settings=settings,
        engine=LateEngine(load),
        home=home(),
        cancellation=cancellation,
        tell=console.event,
        show=console.output,
        variable=variable,
    )


def task_of(options: TaskOptions, settings: Settings) -> Task:
    """The task that the command line describes. Raises `UsageError`."""
    agent = options.agent or settings.agent
    argv, prompt = (tuple(options.words), "") if agent == "command" else ((), prompt_of(options))
    return Task(
        repo=options.repo,
        base=options.base,
        name=options.name,
        agent=agent,
        argv=argv,
        prompt=prompt,
        dirty=options.dirty,
        environment=dict(map(parse_variable, options.env)),
        policy=options.policy or settings.policy,
        image=options.image or settings.image,
        expect_changes=options.expect_changes,
        observe=options.observe,
    )


def prompt_of(options: TaskOptions) -> str:
    """The prompt, from the command line or a file, not from both."""
    if options.prompt_file is None:
        return " ".join(options.words)
    if options.words:
        raise UsageError(
            "There are two prompts: one in --prompt-file and one on the command line.", hint="Leave one out."
        )
    try:
        data = options.prompt_file.read_bytes()
        text = data.decode()
    except OSError as error:
        raise UsageError(f"--prompt-file {options.prompt_file}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"--prompt-file {options.prompt_file}: not UTF-8 text.") from error
    if len(data) > MAX_PROMPT:
        raise UsageError(f"--prompt-file {options.prompt_file}: longer than {MAX_PROMPT} bytes.")
    return text


def parse_variable(text: str) -> tuple[str, str]:
    """`K=V` as a pair. Raises `UsageError`; the value is not repeated, since it may be a secret."""
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError("--env takes NAME=VALUE.", hint="As in `--env CI=1`.")
    return name, value


@contextmanager
def cancellation_by_signals() -> Iterator[Cancellation]:
    """Ctrl-C, SIGTERM and SIGHUP ask the run to end: once to stop and collect, twice to kill and collect."""
    cancellation = Cancellation()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def ask(*_: object) -> None:
        cancellation.request()
        if cancellation.interruptible:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, ask) for number in numbers}
    try:
        yield cancellation
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def nothing_started(options: TaskOptions, outcome: Outcome, exit_code: int, reason: str) -> RunResult:
    """The result document of a run that never was one."""
    now = timestamp(SystemClock().now())
    return RunResult(
        id="",
        outcome=outcome,
        exit_code=exit_code,
        reason=escape_text(reason),
        repo=escape_text(shown_repo(options.repo)),
        digests=Digests(policy=""),
        started_at=now,
        ended_at=now,
    )


def shown_repo(repo: str) -> str:
    """The repository as it may be printed: a URL loses its credentials, and is left out where it cannot be read."""
    if not is_url(repo):
        return repo
    try:
        return parse_url(repo).url
    except PaddockError:
        return ""
