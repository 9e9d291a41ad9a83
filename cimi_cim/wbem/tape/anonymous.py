"""A tape that does not tell whose server was recorded, and answers all the same.

Names, ids, paths, addresses and free texts get other words (`pseudonyms`), the same
everywhere, so keys and references lead where they led. What is no text (numbers, times,
booleans) stays, and so do the names of classes, properties, methods and namespaces.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from lxml import etree

from cimi_cim.wbem.tape.instances import Member, TapeInstance, Value
from cimi_cim.wbem.tape.paths import Key, TapePath
from cimi_cim.wbem.tape.pseudonyms import WORD, Pseudonyms
from cimi_cim.wbem.tape.records import Answer, Failure, Kept, Outcome, Question, Tape

_TEXTS = ("string", "char16", "")


def anonymised(tape: Tape, kept: Iterable[str] = ()) -> Tape:
    """Return the tape with other words; `kept` are words that stay, such as a mapping's."""
    return _Anonymiser(Pseudonyms((*kept, *_names_in(tape)))).tape(tape)


def _names_in(tape: Tape) -> Iterator[str]:
    """The names that the declarations, and whoever asks, go by."""
    for namespace in (*tape.header.namespaces, *tape.class_names):
        yield from WORD.findall(namespace)
    for name in (name for names in tape.class_names.values() for name in names):
        yield from (name, name.partition("_")[2])  # ids of instances begin with either
    for cls in tape.classes:
        yield cls.name
        yield from (member.name for member in cls.properties)
        for method in cls.methods:
            yield from (method.head.name, *(member.name for member in method.parameters))
    for answer in tape.answers:
        subject = answer.question.subject
        if isinstance(subject, str) and "Query" not in answer.question.operation:
            yield subject
        for item in () if isinstance(answer.found, Failure) else answer.found:
            if isinstance(item, TapeInstance):
                yield item.shape.classname
                yield from (member.name for member in item.shape.members)


class _Anonymiser:
    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self._text = pseudonyms.text

    def tape(self, tape: Tape) -> Tape:
        header = tape.header
        return replace(
            tape,
            header=replace(
                header, server=self._text(header.server), host=self._text(header.host),
                provider=self._text(header.provider), recorded=self._text(header.recorded),
            ),
            answers=tuple(self._answer(answer) for answer in tape.answers),
            outcomes=tuple(self._outcome(outcome) for outcome in tape.outcomes),
        )  # fmt: skip

    def _answer(self, answer: Answer) -> Answer:
        found = answer.found
        if isinstance(found, Failure):
            return Answer(self._question(answer.question), self._failure(found))
        return Answer(self._question(answer.question), tuple(self._kept(item) for item in found))

    def _question(self, question: Question) -> Question:
        subject = question.subject
        if isinstance(subject, TapePath):
            return replace(question, subject=self._path(subject))
        return replace(question, subject=self._text(subject))

    def _failure(self, failure: Failure) -> Failure:
        return Failure(failure.code, self._text(failure.text))

    def _kept(self, item: Kept) -> Kept:
        if isinstance(item, TapePath):
            return self._path(item)
        members = {member.name: member for member in item.shape.members}
        values = {
            name: self._value(value, members.get(name)) for name, value in item.values.items()
        }
        return replace(item, path=self._path(item.path), values=values)

    def _path(self, path: TapePath) -> TapePath:
        keys = tuple((name, self._key(value)) for name, value in path.keys)
        host = None if path.host is None else self._text(path.host)
        return TapePath(path.classname, keys, path.namespace, host)

    def _key(self, value: Key) -> Key:
        if isinstance(value, TapePath):
            return self._path(value)
        return self._text(value) if isinstance(value, str) else value

    def _value(self, value: Value, member: Member | None) -> Value:
        if isinstance(value, tuple):
            return tuple(self._scalar(item, member) for item in value)
        return self._scalar(value, member)

    def _scalar(self, value: str | TapePath | None, member: Member | None) -> str | TapePath | None:
        if isinstance(value, TapePath):
            return self._path(value)
        if value is None or (member is not None and member.type not in _TEXTS):
            return value
        return self._embedded(value) if value.lstrip().startswith("<") else self._text(value)

    def _embedded(self, text: str) -> str:
        """CIM-XML as text: the texts in it, and no numbers."""
        try:
            root = etree.fromstring(text.encode(), etree.XMLParser(resolve_entities=False))
        except etree.XMLSyntaxError:
            return self._text(text)
        for element in root.iter("VALUE", "KEYVALUE", "HOST"):
            around = next(element.iterancestors("PROPERTY", "PROPERTY.ARRAY"), None)
            kind = element.get("VALUETYPE", "string") if around is None else around.get("TYPE")
            if kind in _TEXTS and element.text:
                element.text = self._text(element.text)
        return etree.tostring(root, encoding="unicode")

    def _outcome(self, outcome: Outcome) -> Outcome:
        return replace(
            outcome,
            path=self._path(outcome.path),
            parameters=self._meaning(outcome.parameters),
            failure=None if outcome.failure is None else self._failure(outcome.failure),
            returned=self._returned(outcome.returned, outcome.return_type),
            out=tuple(
                (name, kind, self._returned(value, kind)) for name, kind, value in outcome.out
            ),
            then=tuple(self._answer(answer) for answer in outcome.then),
        )

    def _returned(self, value: Value, kind: str) -> Value:
        return self._value(value, Member("", kind.lower(), False, ()))

    def _meaning(self, form: Any) -> Any:
        """A method parameter in the form of `records.meaning`: its types are not known."""
        if isinstance(form, list):
            return [self._meaning(item) for item in form]
        if isinstance(form, Mapping):
            if list(form) == ["path"]:
                return {"path": self._path(TapePath.of_json(form["path"])).json()}
            if "instance" in form:
                return {**form, "values": self._meaning(form["values"])}
            return {name: self._meaning(value) for name, value in form.items()}
        if not isinstance(form, str) or form.isdigit():
            return form  # most likely a number: a size that must stay
        return self._embedded(form) if form.lstrip().startswith("<") else self._text(form)
