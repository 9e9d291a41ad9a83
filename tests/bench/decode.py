"""Decoding a reply, against pywbem's own parser on the same bytes.

The reply is OpenPegasus's recorded enumeration of machines, its instances repeated up to
1,000. Prints medians of five rounds, all in one process.
"""

from __future__ import annotations

import pywbem
from pywbem._tupleparse import TupleParser
from pywbem._tupletree import xml_to_tupletree_sax

from cimi_cim.lab.replay import replay_server
from cimi_cim.wbem.decode import InstanceDecoder
from tests.bench.timing import median_s
from tests.tapes import tape_folder

INSTANCES = 1000
WANTED = ["Name", "ElementName", "UUID", "EnabledState", "HealthState", "OperationalStatus"]


def reply() -> bytes:
    with replay_server(tape_folder("pegasus")) as front:
        client = pywbem.WBEMConnection(front.url, default_namespace="root/virt")
        client.debug = True
        client.EnumerateInstances("KVM_ComputerSystem")
        raw = client.last_raw_reply
        client.close()
    body = raw if isinstance(raw, bytes) else str(raw).encode()
    head, _, rest = body.partition(b"<VALUE.NAMEDINSTANCE>")
    inner, _, tail = rest.rpartition(b"</VALUE.NAMEDINSTANCE>")
    items = inner.split(b"</VALUE.NAMEDINSTANCE>")
    first = b"<VALUE.NAMEDINSTANCE>" + items[0] + b"</VALUE.NAMEDINSTANCE>"
    return head + first * INSTANCES + tail


def main() -> None:
    body = reply()
    theirs = median_s(lambda: TupleParser().parse_cim(xml_to_tupletree_sax(body, "reply")))
    few = median_s(lambda: InstanceDecoder(WANTED, "root/virt").decode([body]))
    print(f"{INSTANCES} instances, {len(body) >> 10} KiB, {len(WANTED)} wanted properties")
    print(f"pywbem's parser   {theirs / INSTANCES * 1e6:7.0f} us per instance")
    ours = few / INSTANCES * 1e6
    print(f"our decoder       {ours:7.0f} us per instance; it takes {few / theirs:.2f}")
