"""Secrets of consumers at rest: sealed before they are stored, opened only where they are used.

Which attributes hold one is said by the model's tables (`Access.WRITE_ONLY`).
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from cimi_cim.credentials import Secret
from cimi_cim.errors import ConfigError, StoreUnavailable
from cimi_cim.model.resources import Ref, Value
from cimi_cim.model.types import Access, Attribute, Model

_KEY = re.compile(r"[A-Za-z0-9_-]{43}=\Z")


@dataclass(frozen=True, slots=True)
class Sealed:
    """A secret as the store keeps it: an attribute value that no codec shows."""

    token: str = field(repr=False)


class SecretBox:
    """Seals texts with the first of some keys, and opens what any of them sealed.

    A key is 32 bytes in base64; a text is sealed as a Fernet token (AES and an HMAC), so
    what was changed does not open. Raises `ConfigError` for what is no key.
    """

    def __init__(self, keys: Sequence[Secret]) -> None:
        made = [Fernet(_checked(key)) for key in keys]
        if not made:
            raise ConfigError("there is no key to seal secrets with; `openssl rand -base64 32`"
                              " makes one")  # fmt: skip
        self._newest = made[0]
        self._all = MultiFernet(made)

    @staticmethod
    def new_key() -> Secret:
        """Return a key that nobody else has."""
        return Secret(Fernet.generate_key().decode())

    def seal(self, text: str) -> str:
        """Return a token that only the key opens; twice the same text makes two tokens."""
        return self._newest.encrypt(text.encode("utf-8", "surrogatepass")).decode()

    def open(self, token: str) -> str:
        """Return the text of a token. Raises `StoreUnavailable` for what no key opens."""
        return _opened(self._all, token)

    def is_newest(self, token: str) -> bool:
        """Whether the first key opens a token. Raises `StoreUnavailable` if none does."""
        self.open(token)
        try:
            _opened(self._newest, token)
        except StoreUnavailable:
            return False
        return True


class Secrets:
    """Seals what the tables of the model call a secret."""

    def __init__(self, model: Model, box: SecretBox) -> None:
        self._model = model
        self._box = box

    def sealed(self, type_name: str, values: Mapping[str, Value]) -> dict[str, Value]:
        """Return the attributes of a resource of a type with every secret sealed.

        However deep it is: in structures, beside a reference, in what stands in its place.
        What is sealed already stays as it is.
        """
        return self._sealed(tuple(self._model[type_name].attributes.values()), values)

    def reveal(self, sealed: Sealed) -> Secret:
        """Return a secret, for whoever needs it to do what its owner asked for.

        Raises `StoreUnavailable` for what another key sealed.
        """
        return Secret(self._box.open(sealed.token))

    def _sealed(self, rows: Sequence[Attribute], values: Mapping[str, Value]) -> dict[str, Value]:
        return {
            name: self._value([row for row in rows if row.name == name], value)
            for name, value in values.items()
        }

    def _value(self, rows: Sequence[Attribute], value: Value) -> Value:
        """`rows` are all that the value may be of: a reference may lead to several types."""
        if value is None or isinstance(value, Sealed) or not rows:
            return value
        if isinstance(value, list | tuple):
            return [self._value(rows, item) for item in value]
        if any(row.access is Access.WRITE_ONLY for row in rows):
            return Sealed(self._box.seal(str(value)))
        if isinstance(value, Ref) and value.values:
            inside = [within for row in rows for within in self._rows_within(row)]
            return Ref(value.path, value.url, self._sealed(inside, value.values))
        if isinstance(value, Mapping):
            inside = [within for row in rows for within in self._rows_within(row)]
            return self._sealed(inside, value)
        return value

    def _rows_within(self, row: Attribute) -> Iterable[Attribute]:
        """The rows of a structure, or of the types at the other end, in whatever version."""
        yield from row.fields
        for keys in row.keys.values():
            yield from keys
        for name in {row.target, *(form.type_name for form in row.forms.values())}:
            target = self._model.types.get(name or "")
            if target is not None:
                yield from target.attributes.values()


def _opened(keys: Fernet | MultiFernet, token: str) -> str:
    try:
        return keys.decrypt(token.encode()).decode("utf-8", "surrogatepass")
    except InvalidToken as exc:
        raise StoreUnavailable(
            "a secret in the bridge's store was sealed with a key that is not there any more; tell"
            " the operator, or set the secret again",
            reason="secret-unreadable",
        ) from exc


def _checked(key: Secret) -> bytes:
    """The key in the alphabet that Fernet takes; `openssl rand -base64` has the other one."""
    text = key.reveal().strip().translate(_TO_URLSAFE)
    if not _KEY.match(text) or len(urlsafe_b64decode(text)) != _KEY_BYTES:
        raise ConfigError(
            "a key for secrets is 32 bytes in base64, which `openssl rand -base64 32` makes"
        )
    return text.encode()


_KEY_BYTES = 32
_TO_URLSAFE = str.maketrans("+/", "-_")
