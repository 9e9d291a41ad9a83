"""What many operations of the document share: parameters, headers, failures."""

from __future__ import annotations

from typing import Any

from cimi_cim import errors
from cimi_cim.http.exchange import MAX_KEY_LENGTH
from cimi_cim.http.openapi.kinds import Schema, key, ref
from cimi_cim.http.requests import JSON, XML
from cimi_cim.model.types import CimiVersion

FAILURES: dict[int, tuple[type[errors.CimiCimError], ...]] = {
    400: (errors.BadRequest,),
    401: (errors.Unauthorized,),
    403: (errors.Forbidden,),
    404: (errors.NotFound,),
    405: (errors.MethodNotAllowed,),
    406: (errors.NotAcceptable,),
    409: (errors.ConflictError,),
    412: (errors.PreconditionFailed,),
    413: (errors.PayloadTooLarge,),
    414: (errors.UriTooLong,),
    415: (errors.UnsupportedMedia,),
    431: (errors.HeadersTooLarge,),
    501: (errors.ProviderUnsupported,),
    502: (errors.ProviderFailed,),
    503: (errors.ProviderUnavailable, errors.StoreUnavailable),
    504: (errors.ProviderTimeout, errors.OutcomeUnknown),
}
"""Status -> the errors that have it."""

QUERIES: dict[str, Schema] = {
    "$select": {
        "description": "Shows only these attributes, divided by commas (4.1.6.3). On a"
        " Collection, id, count, parent and operations are its own, others those of its items.",
        "example": "id,name",
    },
    "$expand": {
        "description": "Puts the targets of these references in their place; * stands for all"
        " (4.1.6.4).",
    },
    "$filter": {
        "description": "Keeps the items for which the expression holds; repeated, all must hold"
        " (4.1.6.1).",
        "schema": {"type": "array", "items": {"type": "string", "format": "cimi-filter"}},
        "example": ["name='web' and updated>=2026-01-01"],
    },
    "$orderby": {
        "description": "Sorts by these attributes, divided by commas, each with :asc or :desc"
        " (4.1.6.6).",
        "schema": {"type": "string", "format": "cimi-orderby"},
        "example": "name:desc",
    },
    "$first": {
        "description": "Position of the first item to show, from 1 (4.1.6.2).",
        "schema": {"type": "integer"},
    },
    "$last": {
        "description": "Position of the last item to show (4.1.6.2).",
        "schema": {"type": "integer"},
    },
    "$format": {
        "description": "json or xml: goes before Accept (4.1.6.5).",
        "examples": {"json": {"value": "json"}, "xml": {"value": "xml"}},
    },
}
"""Query parameters by name; their values are texts where nothing else is said."""

OF_RESOURCES = ("$select", "$expand", "$format")
OF_COLLECTIONS = tuple(QUERIES)

_LOCATION: Schema = {
    "description": "The URI of the new resource.",
    "schema": {"type": "string"},
}
_CONDITIONS = {
    "If-Match": "* or ETags of representations: only if the resource still has one of them.",
    "If-None-Match": "* or ETags of representations: only if the resource has none of them.",
}
_TAG = '(W/)?"[!#-~\\u0080-\\u00ff]*"'
_TAGS = rf"^[ \t]*(\*[ \t]*|({_TAG}[ \t]*(,[ \t]*{_TAG}[ \t]*)*,?)?)$"
_TEXT: Schema = {"type": "string", "pattern": "^[^\\u0000]*$"}
_OPTIONAL = frozenset({"Warning", "X-CIMI-Incomplete", "Retry-After"})
_SHOWN = {401: ("WWW-Authenticate",), 405: ("Allow",), 503: ("Retry-After",)}


def parameters(version: CimiVersion) -> dict[str, Any]:
    """Return the parameters of a version by their key in the document."""
    found = {
        key(version, name.removeprefix("$")): {
            "name": name,
            "in": "query",
            "schema": _TEXT,
            **said,
        }
        for name, said in QUERIES.items()
    }
    for name, doc in _CONDITIONS.items():
        schema = {"type": "string", "pattern": _TAGS}
        found[key(version, name)] = {
            "name": name, "in": "header", "description": doc, "schema": schema,
        }  # fmt: skip
    found[key(version, "Idempotency-Key")] = {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Makes a repeated request the same one: it is not carried out again.",
        "schema": {"type": "string", "pattern": r"^\S(.*\S)?$", "maxLength": MAX_KEY_LENGTH},
    }
    found[key(version, "specification")] = {
        "name": "CIMI-Specification-Version",
        "in": "header",
        "description": f"The versions that the client takes, best first;"
        f" {version.specification} must be among them.",
        "schema": {"type": "string", "pattern": _listing(version.specification)},
        "example": version.specification,
    }
    return found


def _listing(specification: str) -> str:
    """Return the pattern of lists that have a version in them, or a beginning of it."""
    major, minor, patch = specification.split(".")
    word = rf"{major}(\.{minor}(\.{patch})?)?"
    return rf"^([ \t]*|([^,]*,)*[ \t]*{word}[ \t]*(,[^,]*)*)$"


def headers(version: CimiVersion) -> dict[str, Any]:
    """Return the headers of answers by their key in the document."""
    said: dict[str, tuple[str, Schema]] = {
        "CIMI-Specification-Version": (
            "The version that the answer speaks.",
            {"const": version.specification},
        ),
        "X-Request-Id": (
            "Names the request in the log of the provider.",
            {"type": "string", "pattern": "^[0-9a-f]{32}$"},
        ),
        "CIMI-Job-URI": ("The Job that tells of the request.", {"type": "string"}),
        "ETag": (
            "Names this very representation.",
            {"type": "string", "pattern": '^"[A-Za-z0-9_-]+"$'},
        ),
        "Location": (_LOCATION["description"], _LOCATION["schema"]),
        "Content-Location": ("The URI of the resource in the body.", {"type": "string"}),
        "Allow": ("The methods that the resource takes.", {"type": "string"}),
        "Vary": ("The request headers that the answer depends on.", {"type": "string"}),
        "WWW-Authenticate": ("How to log in.", {"type": "string"}),
        "Warning": ("What is left out of the answer, and why.", {"type": "string"}),
        "X-CIMI-Incomplete": (
            "The aliases of WBEM servers that failed, and whose items are left out; * for more.",
            {"type": "string", "pattern": r"^[a-z0-9-]+(,[a-z0-9-]+)*(,\*)?$"},
        ),
        "Retry-After": ("Seconds to wait before asking again.", {"type": "integer"}),
    }
    return {
        key(version, name): {
            "description": text,
            "schema": schema,
            **({} if name in _OPTIONAL else {"required": True}),
        }
        for name, (text, schema) in said.items()
    }


def shown(version: CimiVersion, *names: str) -> dict[str, Any]:
    """Return headers of a response, by reference."""
    return {name: {"$ref": f"#/components/headers/{key(version, name)}"} for name in names}


def responses(version: CimiVersion) -> dict[str, Any]:
    """Return the responses that many operations have by their key in the document.

    What fails is told by a Job, as what leaves no resource behind (4.1).
    """
    names = ("CIMI-Specification-Version", "X-Request-Id", "CIMI-Job-URI", "Content-Location")
    done = {
        "description": "Done: the Job that tells of it.",
        "headers": shown(version, *names, "Vary"),
        **content(version, "Job"),
    }
    accepted = {
        "description": "It goes on: the Job that tells how far it is.",
        "headers": shown(version, *names, "Vary") | {"Location": _LOCATION},
        **content(version, "Job"),
    }
    failed = {key(version, _name(status)): _failure(version, status) for status in FAILURES}
    return {key(version, "Done"): done, key(version, "Accepted"): accepted} | failed


def content(version: CimiVersion, name: str, *members: str) -> dict[str, Any]:
    """Return the member `content` of an answer that is a document with at least some members."""
    root = "Collection" if name.endswith("Collection") else name
    in_xml: Schema = {"xml": root_in_xml(version, root)}
    if members:
        in_xml["required"] = list(members)
    return {
        "content": {
            JSON: {"schema": ref(version, name, required=["resourceURI", *members])},
            XML: {"schema": ref(version, name, **in_xml)},
        }
    }


def root_in_xml(version: CimiVersion, name: str) -> Schema:
    """Return the hints for the root element of a document."""
    return {"name": name, "namespace": version.namespace}


def failure(version: CimiVersion, status: int) -> Any:
    """Return the reference to the response of a status."""
    return {"$ref": f"#/components/responses/{key(version, _name(status))}"}


def _name(status: int) -> str:
    return FAILURES[status][0].__name__


def _failure(version: CimiVersion, status: int) -> Any:
    said = [(error.__doc__ or "").split("\n")[0] for error in FAILURES[status]]
    described = [text.removeprefix(f"{status}: ").partition(f" ({status})")[0] for text in said]
    names = ("CIMI-Specification-Version", "X-Request-Id", *_SHOWN.get(status, ()))
    return {
        "description": ". ".join(text.rstrip(".") for text in described) + ".",
        "headers": shown(version, *names),
        **content(version, "Job", "id", "state", "returnCode"),
    }
