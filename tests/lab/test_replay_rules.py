"""The rules of replay, on a tape small enough to read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from lxml import etree

from cimi_cim.lab.backend import CimError, IntrinsicCall, MethodCall, Reply
from cimi_cim.lab.replay import ReplayBackend
from cimi_cim.wbem.tape.instances import Member, Shape, TapeInstance
from cimi_cim.wbem.tape.paths import TapePath
from cimi_cim.wbem.tape.records import (
    Answer,
    ClassForm,
    Failure,
    Header,
    MethodForm,
    Outcome,
    Question,
    Quirks,
    Tape,
)
from cimi_cim.wbem.values import EmbeddedInstance, InstancePath

NS = "root/x"


def member(text: str) -> Member:
    return Member.of_text(text)


THING = Shape("X_Thing", (member("Name string ^"), member("State uint16"), member("Tags string[]")))
LINK = Shape("X_Link", (member("Owner ref"), member("Part ref")))


def thing(name: str, state: str = "2", cls: str = "X_Thing") -> TapeInstance:
    shape = replace(THING, classname=cls)
    return TapeInstance(NS, path(name, cls), shape, {"Name": name, "State": state})


def path(name: str, cls: str = "X_Thing") -> TapePath:
    return TapePath(cls, (("Name", name),))


def link(owner: str, part: str, cls: str = "X_Link") -> TapeInstance:
    ends = {"Owner": replace(path(owner), namespace=NS), "Part": replace(path(part), namespace=NS)}
    return TapeInstance(NS, TapePath(cls, tuple(ends.items())), replace(LINK, classname=cls), ends)


def declared(name: str, above: str | None, *properties: str) -> ClassForm:
    start = MethodForm(member("Start uint32"), (member("Level uint16 In=true"),))
    forms = tuple(member(text) for text in properties)
    define = MethodForm(member("Define uint32"), (member("Settings string[] In=true"),))
    return ClassForm(name, NS, above, True, (), forms, (start, define))


CLASSES = (
    declared("X_Base", None, "Name string Key=true"),
    declared("X_Thing", "X_Base", "Name string Key=true ^", "State uint16", "Tags string[]"),
    declared("X_Special", "X_Thing", "Name string Key=true ^"),
    replace(declared("X_Link", None, "Owner ref", "Part ref"), marks=("Association",)),
    replace(declared("X_StrongLink", "X_Link"), marks=("Association",)),
)


def tape(
    *answers: Answer, outcomes: tuple[Outcome, ...] = (), quirks: Quirks | None = None
) -> Tape:
    header = Header("s", "p", "r", "here", (NS,), quirks or Quirks())
    names = {NS: tuple(cls.name for cls in CLASSES)}
    return Tape(header, answers, outcomes, CLASSES, names)


def enumerated(cls: str, *found: TapeInstance) -> Answer:
    return Answer(Question("EnumerateInstances", NS, cls), found)


def ask(backend: ReplayBackend, operation: str, **parameters: object) -> list[str]:
    """Return the names of what was found, in order."""
    return names(backend.intrinsic(IntrinsicCall(operation, NS, parameters)))


def names(reply: Reply) -> list[str]:
    found = []
    for fragment in reply.fragments or ():
        element = etree.fromstring(fragment)
        keys = [e.text for e in element.iter("KEYVALUE")]
        found.append(element.get("NAME") or ">".join(str(key) for key in keys))
    return found


def at(name: str, cls: str = "X_Thing") -> InstancePath:
    return path(name, cls).instance_path(NS)


def test_a_wide_enumeration_answers_for_its_subclasses() -> None:
    backend = ReplayBackend(tape(enumerated("X_Base", thing("a"), thing("b", cls="X_Special"))))
    assert ask(backend, "EnumerateInstances", ClassName="x_thing") == ["a", "b"]
    assert ask(backend, "EnumerateInstanceNames", ClassName="X_Special") == ["b"]
    assert ask(backend, "EnumerateInstances", ClassName="X_Base") == ["a", "b"]


def test_a_narrow_enumeration_does_not_answer_for_its_superclass() -> None:
    backend = ReplayBackend(tape(enumerated("X_Thing", thing("a"))))
    with pytest.raises(CimError, match="not recorded: the instances of root/x:X_Base"):
        ask(backend, "EnumerateInstances", ClassName="X_Base")


def test_names_alone_do_not_make_instances() -> None:
    only_names = Answer(Question("EnumerateInstanceNames", NS, "X_Thing"), (path("a"),))
    backend = ReplayBackend(tape(only_names))
    assert ask(backend, "EnumerateInstanceNames", ClassName="X_Thing") == ["a"]
    with pytest.raises(CimError, match="not recorded"):
        ask(backend, "EnumerateInstances", ClassName="X_Thing")
    with pytest.raises(CimError, match="not recorded"):
        ask(backend, "GetInstance", InstanceName=at("a"))


def test_a_class_that_enumerates_to_nothing_does_so_and_its_subclasses_are_not_known() -> None:
    backend = ReplayBackend(tape(quirks=Quirks(enumerate_to_nothing=("X_Link",))))
    assert ask(backend, "EnumerateInstances", ClassName="X_Link") == []
    with pytest.raises(CimError, match="not recorded"):
        ask(backend, "EnumerateInstances", ClassName="X_StrongLink")


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, ["b", "c"]),
        ({"AssocClass": "X_StrongLink"}, ["c"]),
        ({"ResultRole": "part"}, ["b"]),
        ({"Role": "OWNER"}, ["b"]),
        ({"Role": "Part"}, ["c"]),
        ({"AssocClass": "X_StrongLink", "ResultRole": "Part"}, []),
        ({"ResultClass": "X_Base"}, ["b", "c"]),
        ({"ResultClass": "X_Special"}, []),
    ],
)
def test_links_lead_to_associators(filters: dict[str, str], found: list[str]) -> None:
    """One recorded References without filters answers every narrower question."""
    links = (link("a", "b"), link("c", "a", cls="X_StrongLink"))
    walked = Answer(Question("References", NS, path("a")), links)
    things = enumerated("X_Thing", thing("a"), thing("b"), thing("c"))
    backend = ReplayBackend(tape(things, walked))
    assert ask(backend, "Associators", ObjectName=at("a"), **filters) == found
    assert ask(backend, "AssociatorNames", ObjectName=at("a"), **filters) == found


def test_a_filtered_walk_does_not_answer_a_wider_question() -> None:
    walked = Answer(Question("Associators", NS, path("a"), "X_StrongLink"), (thing("c"),))
    backend = ReplayBackend(tape(enumerated("X_Thing", thing("a"), thing("c")), walked))
    assert ask(backend, "Associators", ObjectName=at("a"), AssocClass="x_stronglink") == ["c"]
    for filters in ({}, {"AssocClass": "X_Link"}, {"AssocClass": "X_StrongLink", "Role": "Owner"}):
        with pytest.raises(CimError, match="not recorded: Associators from"):
            ask(backend, "Associators", ObjectName=at("a"), **filters)
    with pytest.raises(CimError, match="not recorded: References from"):
        ask(backend, "References", ObjectName=at("a"), ResultClass="X_StrongLink")


def test_the_words_for_a_missing_instance_are_the_servers() -> None:
    missed = Failure(6, "no domain 'gone' (gone/disk)")
    error = Answer(Question("GetInstance", NS, path("gone/disk")), missed)
    backend = ReplayBackend(tape(enumerated("X_Thing", thing("a/disk")), error))
    with pytest.raises(CimError) as caught:
        ask(backend, "GetInstance", InstanceName=at("other/disk"))
    assert (caught.value.code, caught.value.description) == (6, "no domain 'other' (other/disk)")
    with pytest.raises(CimError) as caught:
        ask(backend, "GetInstance", InstanceName=at("unlike"))
    assert (caught.value.code, caught.value.description) == (6, "no such instance")


def test_an_instance_of_a_class_that_was_not_enumerated_is_not_denied() -> None:
    with pytest.raises(CimError, match="not recorded: the instance"):
        ask(ReplayBackend(tape()), "GetInstance", InstanceName=at("a"))


def test_two_instances_that_say_they_are_one_are_found_by_walks_alone() -> None:
    walked = Answer(Question("Associators", NS, path("a")), (thing("t", "1"), thing("t", "2")))
    backend = ReplayBackend(tape(walked))
    assert ask(backend, "Associators", ObjectName=at("a")) == ["t", "t"]
    with pytest.raises(CimError, match="not recorded"):
        ask(backend, "GetInstance", InstanceName=at("t"))


def test_classes_are_answered_where_all_of_them_are_known() -> None:
    backend = ReplayBackend(tape())
    below = ask(backend, "EnumerateClassNames", ClassName="X_Base", DeepInheritance=True)
    assert below == ["X_Thing", "X_Special"]
    assert ask(backend, "EnumerateClassNames", ClassName="X_Base") == ["X_Thing"]
    assert ask(backend, "EnumerateClasses") == ["X_Base", "X_Link"]
    short = replace(tape(), classes=CLASSES[1:])
    with pytest.raises(CimError, match="not recorded: the classes directly below the top"):
        ask(ReplayBackend(short), "EnumerateClasses")


def test_a_declaration_without_what_was_not_wanted() -> None:
    backend = ReplayBackend(tape())

    def properties(**switches: object) -> list[str | None]:
        call = IntrinsicCall("GetClass", NS, {"ClassName": "X_Thing", **switches})
        [fragment] = backend.intrinsic(call).fragments or ()
        return [e.get("NAME") for e in etree.fromstring(fragment) if e.tag.startswith("PROP")]

    assert properties() == ["State", "Tags"]
    assert properties(LocalOnly=False) == ["Name", "State", "Tags"]
    assert properties(LocalOnly=False, PropertyList=("tags",)) == ["Tags"]


def started(level: str, state: str, *then: Answer) -> Outcome:
    seen = Answer(Question("GetInstance", NS, path("a")), (thing("a", state),))
    on = replace(path("a"), namespace=NS)
    return Outcome("Start", on, {"Level": level}, None, "uint32", "0", (), (seen, *then))


def state(backend: ReplayBackend) -> list[str | None]:
    call = IntrinsicCall("EnumerateInstances", NS, {"ClassName": "X_Base"})
    fragments = backend.intrinsic(call).fragments or ()
    return [etree.fromstring(f).findtext(".//PROPERTY[@NAME='State']/VALUE") for f in fragments]


def test_what_was_read_after_a_call_holds_after_it() -> None:
    new = Answer(Question("GetInstance", NS, path("n")), (thing("n", "7"),))
    gone = Answer(Question("GetInstance", NS, path("n")), Failure(6, "gone"))
    outcomes = (started("1", "3", new), started("1", "4", gone))
    backend = ReplayBackend(tape(enumerated("X_Base", thing("a")), outcomes=outcomes))
    call = MethodCall("start", at("a"), {"level": 1})
    assert state(backend) == ["2"]
    backend.method(call)
    assert state(backend) == ["3", "7"]
    backend.method(call)
    assert state(backend) == ["4"]
    backend.method(call)  # recorded twice: the last outcome stays
    assert state(backend) == ["4"]
    with pytest.raises(CimError) as caught:
        ask(backend, "GetInstance", InstanceName=at("n"))
    assert (caught.value.code, caught.value.description) == (6, "gone")


def test_parameters_count_by_meaning() -> None:
    on = replace(path("a"), namespace=NS)
    setting = {"instance": "X_Setting", "values": {"Size": "5"}}
    refused = Outcome("Define", on, {"Settings": [setting]}, Failure(13, "no objects"))
    taken = Outcome("Define", on, {"Settings": [{**setting, "as": "text"}]}, returned="0")
    backend = ReplayBackend(tape(outcomes=(refused, taken)))
    sent = EmbeddedInstance("x_setting", {"SIZE": 5, "Unused": None})
    with pytest.raises(CimError, match="no objects"):
        backend.method(MethodCall("Define", at("a"), {"Settings": (sent,)}))
    text = (
        '<INSTANCE CLASSNAME="X_Setting">\n <PROPERTY NAME="Size" TYPE="uint64">'
        "<VALUE>5</VALUE></PROPERTY>\n</INSTANCE>"
    )
    reply = backend.method(MethodCall("Define", at("a"), {"Settings": (text,)}))
    assert list(reply.fragments or ()) == [b"<VALUE>0</VALUE>"]
    with pytest.raises(CimError, match="not recorded: Define of"):
        backend.method(MethodCall("Define", at("a"), {"Settings": (sent, sent)}))


def test_a_method_that_the_class_does_not_have_is_refused_in_the_servers_words() -> None:
    on = replace(path("a"), namespace=NS)
    unknown = Outcome("NoSuch", on, {}, Failure(1, "Unknown Method"))
    backend = ReplayBackend(tape(outcomes=(unknown,)))
    with pytest.raises(CimError, match="Unknown Method"):
        backend.method(MethodCall("Neither", at("b"), {}))
    with pytest.raises(CimError, match="not recorded"):
        backend.method(MethodCall("Start", at("b"), {}))


def test_readers_see_whole_states_while_another_calls() -> None:
    outcomes = tuple(started("1", str(level)) for level in range(3, 200))
    backend = ReplayBackend(tape(enumerated("X_Base", thing("a")), outcomes=outcomes))

    def work(number: int) -> list[str | None]:
        if number % 4 == 0:
            backend.method(MethodCall("Start", at("a"), {"Level": 1}))
        return state(backend)

    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(work, range(400)))
    assert all(len(found) == 1 for found in seen)
    assert state(backend) == ["102"]
