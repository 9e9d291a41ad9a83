"""The tables of the store. A change here comes with a migration (`migrations.py`)."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, MetaData, Table, Text

METADATA = MetaData()

# Paths sort by their bytes, so that what is below a path is a range of an index.
PATH = Text().with_variant(Text(collation="C"), "postgresql")

MIGRATIONS = Table(
    "migrations",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("applied", Text, nullable=False),
)

RESOURCES = Table(
    "resources",
    METADATA,
    Column("path", PATH, primary_key=True),  # neutral: machineConfigs/TOKEN
    Column("type", Text, nullable=False),  # neutral type name
    Column("collection", PATH, nullable=False),  # the path without its last token
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
    Column("source", PATH, primary_key=True),  # path of the resource that refers
    Column("target", PATH, primary_key=True),  # path it refers to, anywhere in its document
    Column("owns", Boolean, nullable=False),  # whether the source goes with the target
    Index("links_by_target", "target"),
)
"""Which references lead somewhere: one in a document without its link is none any more.

So what refers to a resource need not be rewritten when that goes, be it thousands of Jobs.
"""

LISTINGS = Table(
    "listings",
    METADATA,
    Column("collection", PATH, primary_key=True),  # neutral: systems/TOKEN/machines
    Column("member", PATH, primary_key=True),  # path of a resource that lives elsewhere
    Column("position", Integer, nullable=False),  # in the order of insertion
    Column("document", Text, nullable=False),  # accessory attributes (5.5.12.2) as JSON
    Index("listings_by_member", "member"),
    Index("listings_in_order", "collection", "position"),
)
"""Which existing resources stand in a Collection inside another resource."""

OVERLAYS = Table(
    "overlays",
    METADATA,
    Column("path", PATH, primary_key=True),  # of a resource that lives in a WBEM server
    Column("document", Text, nullable=False),  # attribute values as JSON
    Column("updated", Text, nullable=False),  # by a consumer; empty if none did yet
)
"""What consumers said of a resource that its WBEM server cannot keep."""

COLLECTIONS = Table(
    "collections",
    METADATA,
    Column("path", PATH, primary_key=True),
    Column("updated", Text, nullable=False),
)
"""When something was put into a Collection, or taken out of it, the last time."""

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
