"""`paddock network` and `paddock policy suggest`: what a run asked of the network, from the gateway's own record."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pydantic import ValidationError

from runner.cli.runs import find_run
from runner.cli.terminal import answer, table
from runner.egress.audit import omitted, summary
from runner.egress.observe import would_have_denied
from runner.egress.rules import Rules
from runner.errors import StoreError
from runner.escape import escape_text
from runner.model.network import NetworkRow
from runner.model.policy import Policy
from runner.model.policy_file import files_of
from runner.report.network import HEADER, busiest, network_cells, without_canary
from runner.report.network_suggest import suggest, suggestion_lines
from runner.report.network_words import MENDABLE, words_of
from runner.run.groups import shipped_groups
from runner.shipped import shipped
from runner.store.files import read_bounded
from runner.store.ledger import RUNNING
from runner.store.runs import RunPaths

MAX_POLICY = 16 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What is known of one run's network."""

    run: str
    running: bool
    mode: str
    """That of the effective policy: an observed run's is `open`."""
    rows: tuple[NetworkRow, ...]
    observed: bool
    would_deny: tuple[NetworkRow, ...]
    """What was allowed and the given policy would not have; of an observed run alone."""
    omitted: int
    """Lines that the record is without."""
    bounds: tuple[str, ...] = ()
    """Files that tightened its policy; escaped."""


def show_network(run_id: str, *, all_rows: bool, as_json: bool) -> None:
    """A table for people, or everything as one document."""
    recorded = read_network(run_id, with_canary=all_rows)
    if as_json:
        answer(json.dumps(document_of(recorded), indent=2))
    elif recorded.mode == "none":
        answer(f'{recorded.run} had no network: its policy has network.mode = "none".')
    else:
        print_table(recorded, all_rows=all_rows)


def print_table(recorded: Recorded, *, all_rows: bool) -> None:
    """The rows, and what is to be known about them."""
    shown, left = (recorded.rows, 0) if all_rows else busiest(recorded.rows)
    if shown:
        for line in table(HEADER, network_cells(shown, recorded.would_deny)):
            answer(line)
    else:
        answer(f"{recorded.run} has asked nothing of the network{' yet' if recorded.running else ''}.")
    if left:
        answer(f"and {left} rows more: `paddock network --all {recorded.run}`")
    if recorded.running:
        answer("The run goes on; a connection is counted when it ends.")
    if recorded.omitted:
        answer(f"The record was full: {recorded.omitted} lines are missing; nothing was let through unrecorded.")
    if recorded.would_deny or any(row.reason in MENDABLE for row in without_canary(recorded.rows)):
        answer(f"What would allow the rest: `paddock policy suggest {recorded.run}`")


def document_of(recorded: Recorded) -> dict[str, object]:
    """The same for programs. JSON in ASCII: whatever a name holds, it steers no terminal."""
    return {
        "version": 1,
        "id": recorded.run,
        "running": recorded.running,
        "mode": recorded.mode,
        "observed": recorded.observed,
        "rows": list(map(described, recorded.rows)),
        "would_deny": list(map(described, recorded.would_deny)),
        "omitted": recorded.omitted,
    }


def described(row: NetworkRow) -> dict[str, object]:
    """A row, with its reason in words."""
    return {**row.model_dump(), "explanation": words_of(row.reason).sentence}


def suggest_policy(run_id: str) -> None:
    """Lines for a policy, and what is not among them and why."""
    recorded = read_network(run_id)
    if recorded.mode == "none":
        answer(f'# {recorded.run} had no network to be denied anything: its policy has network.mode = "none".')
        answer("# `paddock run --observe` opens it once, and tells what the policy would have denied.")
        return
    denied = (*(row for row in recorded.rows if row.verdict == "refused"), *recorded.would_deny)
    found = suggest(denied, shipped_groups())
    for line in suggestion_lines(found, recorded.run, mode=recorded.mode, observed=recorded.observed):
        answer(line)
    for file in recorded.bounds:
        answer(f"# {file} bounded this run, too: what it does not allow, no line here opens.")


def read_network(run_id: str, *, with_canary: bool = False) -> Recorded:
    """Everything that was recorded so far. Raises `RunNotFoundError`, `StoreError`."""
    row, paths = find_run(run_id)
    rows = summary(paths.egress)
    rules = given_rules_of(paths)
    return Recorded(
        run=row.id,
        running=row.state == RUNNING,
        mode=mode_of(paths),
        rows=rows if with_canary else without_canary(rows),
        observed=rules is not None,
        would_deny=would_have_denied(rows, rules) if rules else (),
        omitted=omitted(paths.egress),
        bounds=bounds_of(paths),
    )


def bounds_of(paths: RunPaths) -> tuple[str, ...]:
    """The repository's policy and ceilings, where they had a say; none where nobody wrote it down."""
    try:
        files = files_of(read_bounded(paths.policy_files, MAX_POLICY))
    except (StoreError, ValueError):
        return ()
    shipped_files = str(shipped("policies"))
    return tuple(each.file for each in files if each.role != "policy" and not each.file.startswith(shipped_files))


def mode_of(paths: RunPaths) -> str:
    """`network.mode` of the run's effective policy. Raises `StoreError`."""
    try:
        return Policy.model_validate_json(read_bounded(paths.policy, MAX_POLICY)).network.mode
    except ValidationError as error:
        raise unreadable(paths.policy) from error


def given_rules_of(paths: RunPaths) -> Rules | None:
    """The rules of the policy that an observed run was given; `None` for every other run. Raises `StoreError`."""
    if not paths.given_rules.exists():
        return None
    try:
        return Rules.model_validate_json(read_bounded(paths.given_rules, MAX_POLICY))
    except ValidationError as error:
        raise unreadable(paths.given_rules) from error


def unreadable(path: object) -> StoreError:
    """A file of a run that another version wrote, or something else."""
    return StoreError(f"{escape_text(str(path))}: this is not what Paddock writes there.")
