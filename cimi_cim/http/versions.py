"""Which version of CIMI a request speaks."""

from __future__ import annotations

import falcon

from cimi_cim.errors import BadRequest, NotFound
from cimi_cim.model.types import CimiVersion

_BLANKS = " \t"  # what may stand around a word (RFC 9110 5.6.3)


def version_at(path: str) -> CimiVersion:
    """Return the version in which a path is answered, whatever else is wrong with the request."""
    named = [version for version in CimiVersion if f"{path}/".startswith(f"/cimi/{version.value}/")]
    return named[0] if named else CimiVersion.V2


def versioned(req: falcon.Request) -> tuple[CimiVersion, list[str]]:
    """Return the version a path speaks and the segments behind its prefix.

    The header `CIMI-Specification-Version` (1.x clients send it) chooses only at the
    unversioned `/cimi`, or `/cimi/cloudEntryPoint`; elsewhere it must not exclude what the
    path says.
    """
    segments = [part for part in req.path.split("/") if part]
    if segments[:1] != ["cimi"]:
        raise NotFound("the CloudEntryPoints are at /cimi/2 and /cimi/1")
    spoken = _asked_for(req.get_header("CIMI-Specification-Version"))
    if segments[1:] in ([], ["cloudEntryPoint"]):
        return spoken[0], []
    for version in CimiVersion:
        if segments[1] == version.value:
            if version not in spoken:
                raise BadRequest(
                    f"{req.path} speaks CIMI {version.specification}, which the header"
                    " CIMI-Specification-Version excludes",
                    reason="version-excluded",
                )
            return version, segments[2:]
    raise NotFound(f"CIMI {segments[1][:20]} is not spoken here; /cimi/2 and /cimi/1 are")


def _asked_for(header: str | None) -> list[CimiVersion]:
    """Return the versions a header allows, best first; a shorter version matches by prefix."""
    newest_first = [CimiVersion.V2, CimiVersion.V1]
    if header is None or not header.strip(_BLANKS):
        return newest_first
    asked = [word.strip(_BLANKS) for word in header.split(",")]
    asked = [word for word in asked if word]
    found = [v for word in asked for v in newest_first if _matches(v.specification, word)]
    if not found:
        raise BadRequest(
            f"none of the versions {header[:60]!r} is spoken here; 2.0.0 and 1.0.1 are",
            reason="version-not-supported",
        )
    return found


def _matches(specification: str, word: str) -> bool:
    return f"{specification}.".startswith(f"{word}.")
