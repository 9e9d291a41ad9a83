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

LISTINGS = Table(
    "listings",
    METADATA,
    Column("collection", Text, primary_key=True),  # neutral: systems/TOKEN/machines
    Column("member", Text, primary_key=True),  # path of a resource that lives elsewhere
    Column("position", Integer, nullable=False),  # in the order of insertion
    Column("document", Text, nullable=False),  # accessory attributes (5.5.12.2) as JSON
    Index("listings_by_member", "member"),
)
"""Which existing resources stand in a Collection inside another resource."""

OVERLAYS = Table(
    "overlays",
    METADATA,
    Column("path", Text, primary_key=True),  # of a resource that lives in a WBEM server
    Column("document", Text, nullable=False),  # attribute values as JSON
    Column("updated", Text, nullable=False),
)
"""What consumers said of a resource that its WBEM server cannot keep."""

USERS = Table(
    "users",
    METADATA,
    Column("name", Text, primary_key=True),  # in Normalization Form C, without a colon
    Column("role", Text, nullable=False),  # `accounts.Role`
    Column("password", Text, nullable=False),  # its argon2id hash, parameters and salt included
    Column("created", Text, nullable=False),  # xs:dateTime in UTC
    Column("updated", Text, nullable=False),  # when the password was said last
)
"""Who may log in."""

KEY_CHECK = Table(
    "key_check",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("sealed", Text, nullable=False),  # a known text, sealed with the store's key
)
"""By which the key that secrets are sealed with is known again; the key itself is elsewhere."""
