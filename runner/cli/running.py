"""`paddock run` and `paddock plan`."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from runner.cli.console import Console, View
from runner.cli.terminal import answer_json
from runner.cli.unstarted import nothing_started
from runner.errors import EngineError, PaddockError, UsageError
from runner.library.host import this_host
from runner.library.runs import carry_out as carry_out_task
from runner.model.result import EXIT_CODES, Outcome, RunResult
from runner.model.settings import Settings
from runner.model.task import Task, TaskResult
from runner.repo.urls import is_url
from runner.run.cancellation import Cancellation
from runner.run.decision import decide
from runner.run.host import Host
from runner.settings import load_settings, own_templates

if TYPE_CHECKING:  # few runs go to the background
    from runner.cli.background import Leave
    from runner.store.runs import RunPaths

MAX_PROMPT = 1024 * 1024


class TaskOptions(NamedTuple):
    """The words of the command line."""

    repo: str
    words: Sequence[str] = ()
    policy: str | None = None
    no_repo_policy: bool = False
    agent: str | None = None
    model: str = ""
    prompt_file: Path | None = None
    template: str = ""
    context: Sequence[Path] = ()
    beside: Sequence[str] = ()
    artifact: Sequence[str] = ()
    notes: bool = False
    name: str = ""
    base: str = ""
    dirty: bool = False
    env: Sequence[str] = ()
    pass_secret: Sequence[str] = ()
    image: str = ""
    expect_changes: bool = False
    check: str = ""
    until: str = ""
    max_rounds: int | None = None
    review: str = ""
    observe: bool = False
    quiet: bool = False
    raw: bool = False
    json: bool = False
    detach: bool = False


def run_command(options: TaskOptions) -> int:
    """Carry out one task and show how it ended; the exit code."""
    return carry_out(options, lambda settings, _: task_of(options, settings))


def continue_command(run_id: str, options: TaskOptions) -> int:
    """Go on where a run ended; the exit code."""
    from runner.cli.runs import find_run
    from runner.run.rounds import task_to_continue

    def make(_: Settings, host: Host) -> Task:
        words = prompt_of(options)
        if not words:
            raise UsageError("There is nothing to say to the agent.", hint="Put it after the run's id, in quotes.")
        task = task_to_continue(find_run(run_id)[0].id, words, host)
        environment = {**task.environment, **dict(map(parse_variable, options.env))}
        check = options.until or options.check or task.check
        return task.model_copy(update={"name": options.name, "environment": environment, "check": check})

    return carry_out(options, make)


def new_command(options: TaskOptions) -> int:
    """Make a repository out of nothing, and carry out a task on it; the exit code."""
    from runner.cli.starting import begin

    def make(settings: Settings, host: Host) -> Task:
        if (options.agent or settings.agent) == "command":
            raise UsageError("`paddock new` needs an agent that can be asked.", hint="Choose one with --agent.")
        context = [str(path) for path in options.context]
        decide(task_of(options._replace(repo=".", context=[]), settings), host)  # what is refused makes no folder
        begun = begin(options.repo, prompt_of(options), context, host)
        folders = [Path(path) for path in begun.context]
        return task_of(options._replace(repo=str(begun.path), context=folders), settings)

    return carry_out(options, make)


def carry_out(options: TaskOptions, make: Callable[[Settings, Host], Task]) -> int:
    """One task, or the rounds of one, from its making to its summary; in the background where that is asked for."""
    if not options.detach:
        return work_out(options, make)
    from runner.cli.background import in_background, refuse_views

    refuse_views(raw=options.raw, json=options.json)
    return in_background(lambda leave: work_out(options, make, leave), quiet=options.quiet)


def work_out(options: TaskOptions, make: Callable[[Settings, Host], Task], leave: Leave | None = None) -> int:
    """The work itself. With `leave`, that is called as soon as there is a run, and nothing is shown from then on."""
    console = Console(stdout_is_taken=options.json)
    result = result_of(options, make, console, leave, always=options.json)
    tell(result, options, console)
    return result.exit_code


def tell(result: RunResult, options: TaskOptions, console: Console) -> None:
    """How it ended: in a document, or in words."""
    if options.json:
        answer_json(result.model_dump_json(indent=2))
    else:
        console.summary(result)


def result_of(
    options: TaskOptions,
    make: Callable[[Settings, Host], Task],
    console: Console,
    leave: Leave | None = None,
    *,
    always: bool,
) -> RunResult:
    """Carry it out; with `always`, what was not started has a result, too, and it has been told why."""
    try:
        with cancellation_by_signals() as cancellation:
            settings = load_settings()
            host = host_of(settings, console, cancellation)
            if leave is not None:
                host = replace(host, opened=leaving(leave, console))
            task = make(settings, host)
            console.view = view_of(options, task)
            return run_loop(task, options, host)
    except KeyboardInterrupt:
        return nothing_started(options.repo, Outcome.CANCELLED, EXIT_CODES[Outcome.CANCELLED], "")
    except PaddockError as error:
        if not always:
            raise
        console.failure(error)
        outcome = Outcome.ENGINE_FAILED if isinstance(error, EngineError) else Outcome.REFUSED
        return nothing_started(options.repo, outcome, error.exit_code, f"{error.message} {error.hint}".strip())


def leaving(leave: Leave, console: Console) -> Leave:
    """Leave the terminal, and be quiet."""

    def opened(paths: RunPaths) -> None:
        leave(paths)
        console.view = "quiet"

    return opened


def run_loop(task: Task, options: TaskOptions, host: Host) -> RunResult:
    """The task; in rounds, where the options ask for any."""
    if options.until and options.check:
        raise UsageError("--check and --until are two checks.", hint="Leave one out: --until checks at the end, too.")
    return carry_out_task(task, host, until=options.until, review=options.review, max_rounds=options.max_rounds)


def view_of(options: TaskOptions, task: Task) -> View:
    """How the agent's work is shown: an event stream made readable; any other output as it is."""
    if options.quiet and options.raw:
        raise UsageError("--quiet and --raw say two things.", hint="Leave one out.")
    if options.quiet:
        return "quiet"
    plain = options.raw or task.agent in {"command", "demo"}
    return "raw" if plain else "live"


def host_of(settings: Settings, console: Console, cancellation: Cancellation) -> Host:
    """This machine, with the real engine, and whoever watches."""
    return this_host(
        settings,
        progress=console.progress,
        cancellation=cancellation,
        tell=console.event,
        show=console.output,
        watch=console.activity,
    )


def task_of(options: TaskOptions, settings: Settings) -> Task:
    """The task that the command line describes. Raises `UsageError`."""
    agent = options.agent or settings.agent
    argv, prompt = (tuple(options.words), "") if agent == "command" else ((), prompt_of(options))
    result: TaskResult = "branch"
    title = f"{options.template} {prompt}".strip() if options.template else ""
    if options.template:
        from runner.model.template import render
        from runner.store.templates import find_template

        template = find_template(options.template, own_templates()).template
        prompt, result = render(template, prompt, check=options.until or options.check)
    return Task(
        repo=options.repo,
        base=options.base,
        name=options.name,
        agent=agent,
        argv=argv,
        prompt=prompt,
        title=title,
        model=options.model,
        template=options.template,
        result=result,
        context=tuple(str(path.expanduser().absolute()) for path in options.context),
        beside=tuple(place if is_url(place) else str(Path(place).expanduser().absolute()) for place in options.beside),
        artifacts=tuple(options.artifact),
        notes=options.notes,
        dirty=options.dirty,
        environment=dict(map(parse_variable, options.env)),
        pass_secrets=tuple(options.pass_secret),
        policy=options.policy or settings.policy,
        repo_policy=not options.no_repo_policy,
        image=options.image or settings.image,
        check=options.until or options.check,
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
