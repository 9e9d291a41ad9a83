"""Other words for the words of a tape, the same one for the same word everywhere.

A word is what stands between punctuation, so `DOMAIN/vda` and `KVM:DOMAIN` keep their shape.
UUIDs, MAC and IP addresses become others of their kind, in the spelling they had.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

from cimi_cim.yaml_source import load_file

WORD = re.compile(r"\w+")
_HEX = "[0-9A-Fa-f]"
_WHOLE = re.compile(
    rf"(?<!\w)(?:(?P<uuid>{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}|{_HEX}{{32}})"
    rf"|(?P<mac>{_HEX}{{2}}(?:[:-]{_HEX}{{2}}){{5}}|{_HEX}{{4}}(?:\.{_HEX}{{4}}){{2}}|{_HEX}{{12}})"
    r"|(?P<time>\d{14}\.\d{6}[+:-]\d{3})"
    r"|(?P<ipv4>\d{1,3}(?:\.\d{1,3}){3}|\d{1,3}(?:-\d{1,3}){3})"
    rf"|(?P<ipv6>{_HEX}{{0,4}}(?::{_HEX}{{0,4}}){{2,7}}))(?!\w)"
    r"|(?P<word>\w+)"
)
_SHORT_NUMBER = re.compile(r"\d{1,5}|0[xX][0-9A-Fa-f]{1,8}")
_DOCUMENTATION = tuple(
    ipaddress.ip_network(text)
    for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "100.64.0.0/10")
)


@cache
def _vocabulary() -> tuple[frozenset[str], re.Pattern[str]]:
    said = load_file(Path(__file__).with_name("vocabulary.yaml")).plain()
    words = (str(word).lower() for group in said["words"].values() for word in group)
    return frozenset(words), re.compile("|".join(f"(?:{each})" for each in said["patterns"]))


class Pseudonyms:
    """Replaces words, all but those that are `kept` (in any case) and what the vocabulary has."""

    def __init__(self, kept: Iterable[str]) -> None:
        words, self._patterns = _vocabulary()
        self._kept = words | {word.lower() for word in kept}
        self._words: dict[str, str] = {}
        self._numbers: dict[str, str] = {}
        self._uuids: dict[str, str] = {}
        self._macs: dict[str, str] = {}
        self._addresses: dict[str, str] = {}
        self._kinds: dict[str, Callable[[str], str]] = {
            "uuid": self._uuid, "mac": self._mac, "ipv4": self._address, "ipv6": self._address,
            "time": str, "word": self._word,
        }  # fmt: skip

    def text(self, text: str) -> str:
        """Return a text with other words."""
        return _WHOLE.sub(lambda match: self._kinds[str(match.lastgroup)](match.group()), text)

    def is_kept(self, word: str) -> bool:
        """Whether a word stays as it is."""
        return (
            word.lower() in self._kept
            or _SHORT_NUMBER.fullmatch(word) is not None
            or self._patterns.fullmatch(word) is not None
            or not word.strip("_")
        )

    def _word(self, word: str) -> str:
        if self.is_kept(word):
            return word
        if word.isdigit():
            count = len(self._numbers) + 1
            return self._numbers.setdefault(word, f"9{count:0{len(word) - 1}d}")
        return self._words.setdefault(word, f"anon{len(self._words) + 1}")

    def _uuid(self, text: str) -> str:
        digits = text.replace("-", "").lower()
        if not digits.strip("0f"):
            return text  # nil, or the largest: nobody's
        made = f"00000000000040008000{len(self._uuids) + 1:012x}"
        return _as_spelled(self._uuids.setdefault(digits, made), text)

    def _mac(self, text: str) -> str:
        digits = re.sub(r"[:.-]", "", text).lower()
        if not digits.strip("0f"):
            return text
        if len(text) == 12 and text.isdigit() and digits not in self._macs:
            return self._word(text)
        made = f"020000{len(self._macs) + 1:06x}"
        return _as_spelled(self._macs.setdefault(digits, made), text)

    def _address(self, text: str) -> str:
        if "-" in text:  # as part of a host name
            return self._address(text.replace("-", ".")).replace(".", "-")
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return WORD.sub(lambda match: self._word(match.group()), text)
        if address.is_loopback or address.is_unspecified or _is_mask(address):
            return text
        return self._addresses.setdefault(str(address), self._new_address(address.version))

    def _new_address(self, version: int) -> str:
        count = len(self._addresses) + 1
        if version == 6:
            return str(ipaddress.IPv6Address("2001:db8::") + count)
        for network in _DOCUMENTATION:
            if count < network.num_addresses - 1:
                return str(network.network_address + count)
            count -= network.num_addresses - 2
        return "192.0.2.1"


def _is_mask(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    bits = f"{int(address):b}"
    return address.version == 4 and len(bits) == 32 and "01" not in bits


def _as_spelled(digits: str, like: str) -> str:
    """The digits with the separators and the case of another text."""
    left = iter(digits)
    spelled = "".join(next(left) if char.isalnum() else char for char in like)
    return spelled.upper() if any(c.isupper() for c in like) else spelled
