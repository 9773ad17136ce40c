"""Writes the record of a run, and signs it where the user has a key for that."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from runner import __version__
from runner.errors import StoreError
from runner.escape import escape_text
from runner.model.result import RunResult
from runner.model.statement import PREDICATE_TYPE, SIGNATURE_NAMESPACE, STATEMENT_TYPE, canonical
from runner.redact import Redactor
from runner.run.attempt import Attempt, secrets_of_run
from runner.store.artifacts import digest_of
from runner.store.files import write_whole
from runner.store.runs import RunPaths

SECRET = "[secret]"  # noqa: S105 - stands where one was
SHARED = (
    *(
        "repo",
        "base",
        "outcome",
        "exit_code",
        "agent_exit_code",
        "reason",
        "branches",
        "uncommitted_collected",
        "gates",
    ),
    *("limits", "denials", "artifacts", "started_at", "ended_at", "timings"),
)
"""Keys that the result has in the same form."""
MASKED = ("repo", "agent", "reason", "gates", "check", "denials")
"""Keys whose texts come from outside: a secret may be in them."""


def keep_record(attempt: Attempt, result: RunResult) -> tuple[str, ...]:
    """Write record.json, and record.json.sig beside it. What could not be done is told; it never ends a run."""
    key = attempt.host.settings.signing_key
    try:
        attempt.paths.signature.unlink(missing_ok=True)  # of an earlier record
        data = canonical(statement_of(attempt, result))
        write_whole(attempt.paths.record, data, durable=True)
    except (StoreError, OSError) as error:
        return (f"The record of the run could not be written: {escape_text(str(error))}",)
    if key is None:
        return ()
    from runner.store.ssh_signature import SignatureError, sign  # only where there is a key

    try:
        write_whole(attempt.paths.signature, sign(data, key, SIGNATURE_NAMESPACE), durable=True)
    except (StoreError, SignatureError) as error:
        return (f"The record of the run is not signed with {escape_text(str(key))}: {escape_text(str(error))}",)
    return ()


def statement_of(attempt: Attempt, result: RunResult) -> dict[str, Any]:
    """The record, as `runner.model.record` reads it. Raises OSError when a file of the run cannot be read.

    It is put together from what is written down already: to build its own model would take longer than all the rest.
    """
    told = result.model_dump(mode="json")
    prepared, workspace = attempt.prepared, attempt.workspace
    predicate = {key: told[key] for key in SHARED} | {
        "run": result.id,
        "start": workspace.start if workspace else result.base,
        "agent": {"name": prepared.task.agent, "model": prepared.task.model, "argv": list(argv_of(attempt))},
        "policy": {
            "name": prepared.loaded.name,
            "digest": result.digests.policy,
            "document": prepared.policy.model_dump(mode="json"),
            "files": told["policy_files"],
        },
        "spec": result.digests.spec,
        "image": attempt.spec.image.model_dump(mode="json"),
        "versions": {"paddock": __version__, "python": sys.version.split()[0], "engine": dict(prepared.engine)},
        "check": told["check"] and {**told["check"], "output": ""},
        "limits_hit": [name for name, use in result.limits.items() if use.hit],
        "files": list(files_of(attempt.paths)),
    }
    if secrets := secrets_of_run(attempt):
        predicate |= {key: mask(predicate[key], secrets) for key in MASKED}
    subject = subjects_of(told)
    return {"_type": STATEMENT_TYPE, "subject": subject, "predicateType": PREDICATE_TYPE, "predicate": predicate}


def subjects_of(told: dict[str, Any]) -> list[dict[str, Any]]:
    """Heads of all branches, under their refs or, where gates kept them out, names inside; then the other commits."""
    heads = [(branch["ref"] or branch["inside"], branch["head"]) for branch in told["branches"]]
    known = {head for _, head in heads}
    others = [(commit["sha"], commit["sha"]) for commit in told["commits"] if commit["sha"] not in known]
    return [{"name": name, "digest": {"gitCommit": sha}} for name, sha in (*heads, *others)]


def argv_of(attempt: Attempt) -> tuple[str, ...]:
    """What was run; nothing of it where a later Paddock ends the run and does not know the secrets to mask."""
    task = attempt.prepared.task
    handed_over = [name for name, value in task.environment.items() if value == SECRET]
    unknown = {*handed_over, *task.pass_secrets} - attempt.prepared.secrets.keys()
    return () if unknown else attempt.spec.argv


def files_of(paths: RunPaths) -> Iterator[dict[str, Any]]:
    """The files that do not change any more; the events do until the very end. Raises OSError."""
    evidence = (
        *(paths.task, paths.policy, paths.policy_files, paths.spec, paths.given_rules),
        *(paths.agent_log, paths.activity, paths.transcript, paths.answer, paths.check_log, paths.egress),
        *(paths.bundle, paths.diff),
    )
    for path in evidence:
        if path.exists():
            size, digest = digest_of(path)
            yield {"name": path.name, "size": size, "sha256": digest}


def mask(value: Any, secrets: tuple[str, ...]) -> Any:
    """The same value, with every text in it masked."""
    if isinstance(value, str):
        redactor = Redactor(secrets)
        text = value.encode("utf-8", "surrogatepass")
        return (redactor.feed(text) + redactor.flush()).decode("utf-8", "replace")
    if isinstance(value, dict):
        return {key: mask(inner, secrets) for key, inner in value.items()}
    return [mask(inner, secrets) for inner in value] if isinstance(value, list) else value
