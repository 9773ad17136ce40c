"""The tables of the ledger's file, as the steps by which one grew out of the other; a step is never changed again."""

from __future__ import annotations

RUNS = """
CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL CHECK (state IN ('running', 'ended')),
    phase TEXT NOT NULL DEFAULT '',
    outcome TEXT NOT NULL DEFAULT '',
    exit_code INTEGER,
    repo TEXT NOT NULL,
    branch TEXT NOT NULL DEFAULT '',
    agent TEXT NOT NULL,
    policy TEXT NOT NULL,
    created_at TEXT NOT NULL,
    ended_at TEXT NOT NULL DEFAULT '',
    owner_pid INTEGER NOT NULL,
    owner_started INTEGER NOT NULL,
    commits INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX runs_created_at ON runs (created_at);
CREATE INDEX runs_state ON runs (state, created_at);
CREATE INDEX runs_name ON runs (name);
CREATE UNIQUE INDEX runs_name_in_use ON runs (name) WHERE state = 'running' AND name != '';
"""

BATCHES = """
ALTER TABLE runs ADD COLUMN batch TEXT NOT NULL DEFAULT '';
CREATE INDEX runs_batch ON runs (batch) WHERE batch != '';
CREATE TABLE batches (
    id TEXT PRIMARY KEY,
    file TEXT NOT NULL,
    digest TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('running', 'stopped', 'ended')),
    why TEXT NOT NULL DEFAULT '',
    options TEXT NOT NULL,
    stop INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    ended_at TEXT NOT NULL DEFAULT '',
    owner_pid INTEGER NOT NULL,
    owner_started INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX batches_created_at ON batches (created_at);
CREATE TABLE batch_tasks (
    batch TEXT NOT NULL REFERENCES batches (id),
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    repo TEXT NOT NULL,
    agent TEXT NOT NULL,
    provider TEXT NOT NULL DEFAULT '',
    cpus REAL NOT NULL,
    memory INTEGER NOT NULL,
    needs TEXT NOT NULL,
    tags TEXT NOT NULL,
    work TEXT NOT NULL,
    PRIMARY KEY (batch, number)
) WITHOUT ROWID;
CREATE UNIQUE INDEX batch_tasks_name ON batch_tasks (batch, name);
CREATE TABLE batch_attempts (
    batch TEXT NOT NULL REFERENCES batches (id),
    task INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'skipped')),
    tries INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    not_before TEXT NOT NULL DEFAULT '',
    stop INTEGER NOT NULL DEFAULT 0,
    chosen INTEGER NOT NULL DEFAULT 0,
    run TEXT NOT NULL DEFAULT '',
    outcome TEXT NOT NULL DEFAULT '',
    ok INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '',
    "check" TEXT NOT NULL DEFAULT '',
    branch TEXT NOT NULL DEFAULT '',
    commits INTEGER NOT NULL DEFAULT 0,
    lines INTEGER NOT NULL DEFAULT 0,
    cost_usd REAL NOT NULL DEFAULT 0,
    started_at TEXT NOT NULL DEFAULT '',
    ended_at TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (batch, task, attempt)
) WITHOUT ROWID;
CREATE INDEX batch_attempts_state ON batch_attempts (batch, state)
"""

REQUESTS = """
CREATE TABLE batch_requests (
    batch TEXT NOT NULL,
    task INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    run TEXT NOT NULL,
    branch TEXT NOT NULL,
    url TEXT NOT NULL,
    made_at TEXT NOT NULL,
    PRIMARY KEY (batch, task, attempt, run)
) WITHOUT ROWID
"""

MIGRATIONS = (RUNS, BATCHES, REQUESTS)
"""One for each version of the file, the first one from nothing."""
