"""What can be decided about a task without the machine: its agent, its policy, its command and its way to a model."""

from __future__ import annotations

from dataclasses import dataclass, replace

from runner.agents.base import SESSION, Agent, Assignment, Silent
from runner.agents.table import agent_named
from runner.errors import RefusedError, UnenforceableError, UsageError
from runner.escape import escape_text
from runner.model.environment import environment_fault
from runner.model.policy import Policy
from runner.model.request import Command
from runner.model.settings import engine_fault
from runner.model.task import Remaining, Task, task_fault, text_fault
from runner.report.briefing import FILE as BRIEFING
from runner.report.briefing import Given, briefing_of, instruction_of
from runner.run.bounding import OWN, Own, own_policy, within_bounds
from runner.run.context import names_beside
from runner.run.groups import shipped_groups
from runner.run.host import Host
from runner.run.model_api import ModelApi, api_notice, find_api, with_api
from runner.store.context_copy import context_names
from runner.store.policy_files import LoadedPolicy, load_policy
from runner.store.runs import read_result, run_paths


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A task, as far as it can be judged without the machine."""

    task: Task
    agent: Agent
    loaded: LoadedPolicy
    command: Command
    api: ModelApi | None = None
    notices: tuple[str, ...] = ()


def decide(task: Task, host: Host, own: Own | None = None) -> Decision:
    """The decision, with the policy that the repository brings once that is known. Raises `RefusedError`."""
    for fault in (task_fault(task), engine_fault(host.settings.engine)):
        if fault:
            raise RefusedError(f"{fault.removesuffix('.')}.")
    refuse_unreadable("The state directory", str(host.settings.state_dir))
    for name, value in task.environment.items():
        if fault := environment_fault(name, value):
            raise RefusedError(f"--env: {fault}.")
    agent = agent_named(task.agent, host.settings.agents)
    api = find_api(agent, task, host)
    loaded = decide_policy(task, api, host, own)
    command = decide_command(agent, task, api, loaded.policy, host)
    notices = ((api_notice(agent, api),) if api else ()) + loaded.notices
    return Decision(task=task, agent=agent, loaded=loaded, command=command, api=api, notices=notices)


def decide_command(agent: Agent, task: Task, api: ModelApi | None, policy: Policy, host: Host) -> Command:
    """What is run, and for an agent with a model what it is told of its sandbox. Raises `UsageError`."""
    if isinstance(agent.reader(), Silent):  # a command, a script: there is nobody to be told
        return agent.command(Assignment(task=task))
    refuse_silence(agent, task)
    given = Given(
        task=task,
        policy=policy,
        groups=shipped_groups(),
        context=context_names(task.context),
        beside=names_beside(task),
    )
    assignment = Assignment(
        task=task,
        api=api.api if api else None,
        model=api.model if api else "",
        instruction=instruction_of(given),
        search=policy.network.mode == "open",
        session=session_of(task, host),
    )
    command = agent.command(assignment)
    return command.model_copy(update={"files": {**command.files, BRIEFING: briefing_of(given)}})


def refuse_silence(agent: Agent, task: Task) -> None:
    """Raises `UsageError` when nothing is asked of an agent that works on what it is asked."""
    if not task.prompt.strip():
        raise UsageError(
            f"The agent `{agent.name}` needs a prompt: what is it to do?",
            hint=f'As in: paddock run REPO --agent {agent.name} "fix the deprecation warnings"',
        )


def decide_policy(task: Task, api: ModelApi | None, host: Host, own: Own | None = None) -> LoadedPolicy:
    """The policy that is held: the task's, with the way to its model, opened to be observed, within its bounds.

    What bounds it comes last, so that nothing of the above can lead out of it.
    """
    loaded = chosen_policy(task, host, own)
    if task.observe:
        from runner.egress.observe import observed

        loaded = replace(loaded, policy=observed(loaded.policy))
    if api:
        loaded = replace(loaded, policy=with_api(loaded.policy, api))
    if task.remaining:
        loaded = replace(loaded, policy=bounded(loaded.policy, task.remaining))
    if task.artifacts:
        loaded = replace(loaded, policy=handing_over(loaded.policy, task.artifacts))
    if own or host.ceilings:
        loaded = within_bounds(loaded, task, api, host, own)
    if loaded.policy.network.mode != "none":
        from runner.run.groups import refuse_unknown_groups

        refuse_unknown_groups(loaded.policy.network, loaded.name)
    refuse_blind_budget(loaded.policy, api)
    return loaded


def chosen_policy(task: Task, host: Host, own: Own | None) -> LoadedPolicy:
    """The policy that the task names; before the repository has been looked at, its own is taken for the default."""
    if task.policy != OWN:
        return load_policy(task.policy, home=host.home)
    return own_policy(own, host) if own else load_policy("offline", home=host.home)


def handing_over(policy: Policy, globs: tuple[str, ...]) -> Policy:
    """The policy, with the files that the task wants to be handed over beside the commits."""
    return policy.model_copy(update={"artifacts": tuple(dict.fromkeys((*policy.artifacts, *globs)))})


def bounded(policy: Policy, remaining: Remaining) -> Policy:
    """The policy of a later round, which has what the earlier ones have left."""
    left = {
        "wall_clock": min(policy.limits.wall_clock, remaining.wall_clock),
        "tokens": policy.limits.tokens if remaining.tokens is None else remaining.tokens,
        "cost_usd": policy.limits.cost_usd if remaining.cost_usd is None else remaining.cost_usd,
    }
    return policy.model_copy(update={"limits": policy.limits.model_copy(update=left)})


def refuse_blind_budget(policy: Policy, api: ModelApi | None) -> None:
    """Raises `UnenforceableError` for a budget that nobody could watch (promise 9)."""
    limits = policy.limits
    named = [name for name in ("tokens", "cost_usd") if getattr(limits, name) is not None]
    seen = api.api.injected if api else bool(policy.network.inject)
    if named and not seen:
        raise UnenforceableError(
            f"{' and '.join(f'limits.{name}' for name in named)} cannot be watched in this run: its model's answers do "
            "not pass the gateway, which counts the tokens.",
            hint="Use an agent with a model, or add [[network.inject]] for the host that the model is at.",
        )


def session_of(task: Task, host: Host) -> str:
    """The conversation to go on with; empty where there is none. It is the agent's own word, so it is looked at."""
    if not task.continues:
        return ""
    before = read_result(run_paths(host.settings.state_dir, task.continues))
    return before.session if before.agent == task.agent and SESSION.fullmatch(before.session) else ""


def refuse_unreadable(what: str, path: str) -> None:
    """Raises `RefusedError` for a path that no document can hold."""
    if fault := text_fault(path):
        raise RefusedError(f"{what} {escape_text(path)} {fault}.", hint="Rename it, or use another one.")
