"""`paddock plan`."""

from __future__ import annotations

import json

from runner.cli.console import Console
from runner.cli.running import TaskOptions, host_of, task_of
from runner.cli.terminal import answer, say
from runner.escape import escape_text
from runner.plan import plan_sandbox
from runner.run.cancellation import Cancellation
from runner.run.prepare import plan_request
from runner.sandbox.docker_args import create_request
from runner.sandbox.same_places import as_the_engine_sees
from runner.settings import load_settings


def plan_command(options: TaskOptions, *, docker: bool) -> None:
    """Print the decision, and touch nothing. What bounds the policy is told on stderr."""
    settings = load_settings()
    task = task_of(options, settings)
    host = host_of(settings, Console(stdout_is_taken=True), Cancellation())
    spec = plan_sandbox(plan_request(task, host, lambda notice: say(escape_text(notice))))
    if docker:
        answer(json.dumps(create_request(as_the_engine_sees(spec, settings.path_map)), indent=2))
    else:
        answer(spec.model_dump_json(indent=2))
