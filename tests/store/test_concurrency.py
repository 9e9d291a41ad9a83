"""Many clients at once, on both engines: no failure, nothing lost, nothing dangling."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Barrier
from typing import Any

import pytest

from tests.clients import Client, action

CLIENTS = 6


@pytest.fixture
def client(store_url: str) -> Iterator[Client]:
    with ExitStack() as stack:
        yield Client(stack, store_url=store_url)


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Have several threads begin at the same moment; return what each comes to."""
    start = Barrier(count)

    def begin(number: int) -> Any:
        start.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))


def counted(count: int, work: Callable[[int], Counter[int]]) -> Counter[int]:
    """How often each status came, over all threads."""
    found: Counter[int] = Counter()
    for one in together(count, work):
        found += one
    return found


def test_of_updates_with_the_same_etag_one_wins(client: Client) -> None:
    made = client.ask("POST", "machineConfigs", {"name": "a"})
    url, tag = made.headers["Location"], made.headers["ETag"]

    def put(number: int) -> tuple[int, int]:
        answer = client.ask("PUT", url, {"name": f"n{number}"}, If_Match=tag)
        return answer.status_code, number

    for _ in range(4):
        outcomes = dict(together(CLIENTS, put))
        assert outcomes.keys() == {200, 412}
        found = client.ask("GET", url)
        assert found.json["name"] == f"n{outcomes[200]}"
        tag = found.headers["ETag"]


def test_partial_updates_of_different_attributes_are_all_kept(client: Client) -> None:
    machine = client.get("machines")["machines"][0]["id"]
    config = client.add("machineConfigs", {})["id"]
    said = [("name", "n"), ("description", "d"), ("properties", {"k": "v"})]

    def put(number: int) -> int:
        url, (name, value) = (machine, config)[number % 2], said[number // 2]
        return int(client.ask("PUT", f"{url}?$select={name}", {name: value}).status_code)

    assert together(6, put) == [200] * 6
    for url in (machine, config):
        found = client.get(url)
        assert {name: found[name] for name, _ in said} == dict(said)


def test_what_refers_and_what_is_deleted_meet_without_harm(client: Client) -> None:
    """A reference is refused, or it vanishes; it never leads nowhere."""

    def hammer(number: int) -> Counter[int]:
        answers: Counter[int] = Counter()
        for config in configs:
            if number % 2:
                answer = client.ask("DELETE", config)
            else:
                body = {"name": str(number), "machineConfig": {"href": config}}
                answer = client.ask("POST", "machineTemplates", body)
            answers[answer.status_code] += 1
        return answers

    for _ in range(3):
        configs = [client.add("machineConfigs", {})["id"] for _ in range(4)]
        answers = counted(CLIENTS, hammer)
        assert answers.keys() <= {200, 201, 400, 404}, answers
        assert answers[200] == len(configs)
    found = client.get("machineTemplates").get("machineTemplates", [])
    assert [item for item in found if "machineConfig" in item] == []


def test_lists_and_what_they_list_meet_without_harm(client: Client) -> None:
    """Insert, remove and delete of the same things at the same time."""
    system = client.add("systems", {"systemTemplate": {}})
    url = system["credentials"]["href"]
    made = [client.add("credentials", {"credentialTemplate": {}})["id"] for _ in range(5)]

    def hammer(number: int) -> Counter[int]:
        answers: Counter[int] = Counter()
        chance = random.Random(number)
        for _ in range(12):
            member = chance.choice(made)
            word = chance.choice(["insert", "remove", "parent", "insert", "delete"])
            if word == "delete" and member != made[0]:
                answer = client.ask("DELETE", member)
            elif word == "parent":
                body = {"parent": {"href": url}}
                answer = client.ask("PUT", f"{member}?$select=parent", body)
            else:
                word = word if word == "remove" else "insert"
                answer = client.ask("POST", url, action(word, credential={"href": member}))
            answers[answer.status_code] += 1
        return answers

    answers = counted(CLIENTS, hammer)
    assert answers.keys() <= {200, 400, 404, 409}, answers
    listed = client.get(url)
    assert listed["count"] == len(listed.get("credentials", []))
    there = {item["id"] for item in client.get("credentials").get("credentials", [])}
    assert {item["id"] for item in listed.get("credentials", [])} <= there
    for item in there:
        if client.get(item)["parent"]["href"] == url:
            assert item in {each["id"] for each in listed["credentials"]}


def test_a_system_and_what_is_added_to_it_go_together(client: Client) -> None:
    system = client.add("systems", {"systemTemplate": {}})
    url = system["credentials"]["href"]

    def hammer(number: int) -> Counter[int]:
        if number == 0:
            return Counter([client.ask("DELETE", system["id"]).status_code])
        body = {"credentialTemplate": {"userName": str(number)}}
        return Counter(client.ask("POST", url, body).status_code for _ in range(6))

    answers = counted(CLIENTS, hammer)
    assert answers.keys() <= {200, 201, 404}, answers
    assert answers[200] == 1
    assert client.get("credentials")["count"] == 0
    assert client.ask("GET", url).status_code == 404


def test_a_state_changes_once(client: Client) -> None:
    segment = client.segment()["id"]
    codes = together(
        CLIENTS, lambda _: client.ask("POST", f"{segment}/stop", action("stop")).status_code
    )
    assert Counter(codes) == {200: 1, 409: CLIENTS - 1}
