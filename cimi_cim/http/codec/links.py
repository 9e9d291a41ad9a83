"""Absolute URIs from neutral paths, and back."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urljoin

from cimi_cim.model.paths import Location, resolve, wire_path
from cimi_cim.model.resources import Ref
from cimi_cim.model.types import CimiVersion, Model


@dataclass(frozen=True, slots=True)
class Links:
    """The URIs of one version under one base (`http://host:port/cimi/2`, no final slash)."""

    base_url: str
    version: CimiVersion
    model: Model

    def href(self, path: str) -> str:
        """Return the absolute URI of a neutral path."""
        return f"{self.base_url}/{wire_path(self.model, self.version, path)}"

    def of(self, ref: Ref) -> str:
        """Return the absolute URI of a reference."""
        return ref.url if ref.url is not None else self.href(ref.path)

    def leads(self, ref: Ref) -> bool:
        """Whether the version has an address for what a reference leads to."""
        wire = wire_path(self.model, self.version, ref.path)
        return ref.url is not None or resolve(self.model, self.version, wire.split("/")) is not None

    def parse(self, href: str) -> Location | None:
        """Return where an absolute or relative reference of a client leads, None if nowhere.

        It is relative to the baseURI (5.5.10), in any form that RFC 3986 has for it; a slash in
        front of what is below that does no harm.
        """
        base = f"{self.base_url}/"
        try:
            target = urljoin(base, href)
            if href.startswith("/") and not f"{target}/".startswith(base):
                target = urljoin(base, href.lstrip("/"))
        except ValueError:
            return None
        if "#" in href or not f"{target}/".startswith(base):
            return None
        relative = target.removeprefix(self.base_url).strip("/")
        return resolve(self.model, self.version, relative.split("/") if relative else [])
