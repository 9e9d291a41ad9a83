"""The tables of the store. A change here comes with a migration (`migrations.py`)."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, MetaData, Table, Text

METADATA = MetaData()

MIGRATIONS = Table(
    "migrations",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("applied", Text, nullable=False),
)

RESOURCES = Table(
    "resources",
    METADATA,
    Column("path", Text, primary_key=True),  # neutral: machineConfigs/TOKEN
    Column("type", Text, nullable=False),  # neutral type name
    Column("collection", Text, nullable=False),  # the path without its last token
    Column("position", Integer, nullable=False),  # in the order of creation
    Column("document", Text, nullable=False),  # the attribute values as JSON (`documents.py`)
    Column("created", Text, nullable=False),  # xs:dateTime in UTC
    Column("updated", Text, nullable=False),
    Column("revision", Integer, nullable=False),  # counts the changes, from 1
    Index("resources_by_collection", "collection", "position"),
)
"""Whole resources that live here: templates, configurations and the like."""

LINKS = Table(
    "links",
    METADATA,
    Column("source", Text, primary_key=True),  # path of the resource that refers
    Column("target", Text, primary_key=True),  # path it refers to, anywhere in its document
    Index("links_by_target", "target"),
)
"""Which stored resource refers to which resource, so that references can vanish with it."""
