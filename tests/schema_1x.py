"""The XML schema of CIMI 1.x, with what is known to be wrong in it put right."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from lxml import etree

from tests.shared_files import SHARED

XSD = SHARED / "spec" / "dsp8009_1.0.1.xsd"
XS = "{http://www.w3.org/2001/XMLSchema}"

# Where the schema and the text differ, the text decides (DSP0263 5.9). What is written is
# right by the text, and the schema is patched for it:
SEVERAL = "attribute"  # ResourceMetadata describes several attributes; maxOccurs was forgotten
WITH_TEXT = "capability"  # <capability>true</capability> has its value as text (5.11.1)


@lru_cache(maxsize=1)
def patched_schema() -> etree.XMLSchema:
    """Return the schema of 1.x without its defects."""
    document: Any = etree.parse(str(XSD))
    metadata = document.find(f"{XS}group[@name='ResourceMetadataElements']/{XS}sequence")
    metadata.find(f"{XS}element[@name='{SEVERAL}']").set("maxOccurs", "unbounded")
    capability = metadata.find(f"{XS}element[@name='{WITH_TEXT}']/{XS}complexType")
    capability.set("mixed", "true")
    return etree.XMLSchema(document)


def assert_valid(body: bytes) -> Any:
    """Return the root of a document of 1.x, which must be valid."""
    root = etree.fromstring(body)
    assert patched_schema().validate(root), (patched_schema().error_log, body)
    return root
