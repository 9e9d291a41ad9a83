"""Decoding a reply, against pywbem's own parser on the same bytes.

The reply is OpenPegasus's recorded enumeration of machines, its instances repeated up to
1,000. Prints medians of five rounds, all in one process.
"""

from __future__ import annotations

import gzip

from pywbem._tupleparse import TupleParser
from pywbem._tupletree import xml_to_tupletree_sax

from cimi_cim.wbem.decode import InstanceDecoder
from tests.bench.timing import median_s
from tests.shared_files import SHARED

INSTANCES = 1000
WANTED = ["Name", "ElementName", "UUID", "EnabledState", "HealthState", "OperationalStatus"]


def reply() -> bytes:
    folder = SHARED / "captures" / "libvirt-cim" / "pegasus" / "instances"
    body = gzip.decompress((folder / "KVM_ComputerSystem.response.xml.gz").read_bytes())
    head, _, rest = body.partition(b"<VALUE.NAMEDINSTANCE>")
    inner, _, tail = rest.rpartition(b"</VALUE.NAMEDINSTANCE>")
    items = inner.split(b"</VALUE.NAMEDINSTANCE>")
    first = b"<VALUE.NAMEDINSTANCE>" + items[0] + b"</VALUE.NAMEDINSTANCE>"
    return head + first * INSTANCES + tail


def main() -> None:
    if not SHARED.is_dir():
        print("the recordings are absent; nothing was measured")
        return
    body = reply()
    theirs = median_s(lambda: TupleParser().parse_cim(xml_to_tupletree_sax(body, "reply")))
    few = median_s(lambda: InstanceDecoder(WANTED, "root/virt").decode([body]))
    print(f"{INSTANCES} instances, {len(body) >> 10} KiB, {len(WANTED)} wanted properties")
    print(f"pywbem's parser   {theirs / INSTANCES * 1e6:7.0f} us per instance")
    print(f"our decoder       {few / INSTANCES * 1e6:7.0f} us per instance, 1/{theirs / few:.1f}")
