"""The tables of Jobs at work, beside the Job resources. Nothing of them is ever shown."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, Table, Text, UniqueConstraint, text

from cimi_cim.service.store.tables import METADATA, PATH

OVER = "over"
"""The phase of a Job with which nothing is to be done any more."""

RUNS = Table(
    "job_runs",
    METADATA,
    Column("job", Text, primary_key=True),  # path of the Job resource
    Column("root", Text, nullable=False),  # the topmost Job; its bridge carries out them all
    Column("parent", Text),  # the Job that it is nested in
    Column("key", Text, nullable=False),  # its name within the parent
    Column("kind", Text, nullable=False),
    Column("arguments", Text, nullable=False),  # JSON
    Column("principal", Text),
    Column("phase", Text, nullable=False),  # waiting, working, undoing, over
    Column("owner", Text),  # of a root: the bridge that carries it out
    Column("attempt", Integer, nullable=False),  # of a root: counts the runs, from 0
    Column("can_stop", Integer, nullable=False),
    Column("is_stopping", Integer, nullable=False),
    Column("is_doomed", Integer, nullable=False),  # to be deleted when it is over
    Column("failure", Text),  # why it is being undone, as JSON
    Column("changed", Text, nullable=False),  # when the phase became what it is
    UniqueConstraint("root", "parent", "key"),
    Index("job_runs_by_phase", "phase", "changed"),
)
"""Jobs that are, or were, carried out by a body."""

CALLS = Table(
    "job_calls",
    METADATA,
    Column("job", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("intent", Text, nullable=False),  # JSON, kept before the call is sent
    Column("began", Float, nullable=False),  # seconds since 1970
    Column("outcome", Text),  # JSON, None while it is not known
    Column("failure", Text),  # JSON, where the server refused
    Column("ended", Float),
)
"""Method calls of Jobs: what was about to be sent, and what became of it."""

INTEND = text(
    "INSERT INTO job_calls (job, key, intent, began) VALUES (:job, :key, :intent, :began)"
    " ON CONFLICT (job, key) DO UPDATE SET intent = excluded.intent, began = excluded.began,"
    " outcome = NULL, failure = NULL, ended = NULL"
)
"""Keeps an intent, in place of one that came to nothing.

Where a commit fails nobody can tell whether it did not happen after all, so it may come twice.
"""

NOTES = Table(
    "job_notes",
    METADATA,
    Column("job", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),  # JSON
)
"""Small results of steps, so that a body that runs again takes the same way."""

NOTE = text(
    "INSERT INTO job_notes (job, key, value) VALUES (:job, :key, :value)"
    " ON CONFLICT (job, key) DO UPDATE SET value = excluded.value"
)
"""Keeps a note, in place of what was kept under the key before."""

UNDOS = Table(
    "job_undos",
    METADATA,
    Column("root", Text, primary_key=True),
    Column("position", Integer, primary_key=True),  # the greatest is undone first
    Column("job", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("arguments", Text, nullable=False),  # JSON
    Column("what", Text, nullable=False),  # for people
    Column("state", Text, nullable=False),  # open, kept, done, failed
    Column("message", Text),  # why it failed
    UniqueConstraint("job", "key"),
)
"""What undoes the deeds of a Job if it fails."""

SAY_UNDO = text(
    "INSERT INTO job_undos (root, position, job, key, kind, arguments, what, state)"
    " SELECT :root, coalesce(max(position), 0) + 1, :job, :key, :kind, :arguments, :what, 'open'"
    " FROM job_undos WHERE root = :root ON CONFLICT (job, key) DO NOTHING"
)
"""Keeps what undoes a deed, behind all others of its family; once."""

KEYS = Table(
    "job_keys",
    METADATA,
    Column("principal", Text, primary_key=True),  # empty where nobody had to log in
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("job", Text, nullable=False),
    Index("job_keys_by_job", "job"),
)
"""Which request made which Job, by Idempotency-Key."""

BRIDGES = Table(
    "bridges",
    METADATA,
    Column("executor", Text, primary_key=True),
    Column("beat", Float, nullable=False),  # last sign of life, by the clock of the database
    Column("kinds", Text, nullable=False),  # JSON: the kinds of Jobs that it knows
)
"""The bridges that carry out Jobs on this store."""

CLAIMS = Table(
    "job_claims",
    METADATA,
    Column("root", Text, primary_key=True),  # the topmost Job
    Column("path", PATH, primary_key=True),  # of a resource that is its to change, all below it too
    Column("position", Integer, nullable=False),  # in line, as it was submitted; 0 for no place
    Column("is_held", Integer, nullable=False),  # whether its turn has come
    Index("job_claims_by_path", "path"),
)
"""Which Jobs that are not over have, or wait for, which resources to themselves."""

JOB_TABLES = (RUNS, CALLS, NOTES, UNDOS, KEYS, BRIDGES)
