"""The XML schema of CIMI 1.x, with what is known to be wrong in it put right."""

from __future__ import annotations

from typing import Any

from lxml import etree

from tests.shared_files import SHARED

XSD = SHARED / "spec" / "dsp8009_1.0.1.xsd"
XS = "{http://www.w3.org/2001/XMLSchema}"


def patched_schema() -> etree.XMLSchema:
    """Return the schema of 1.x, in which ResourceMetadata may describe several attributes."""
    document: Any = etree.parse(str(XSD))
    group = document.find(f"{XS}group[@name='ResourceMetadataElements']")
    attribute = group.find(f"{XS}sequence/{XS}element[@name='attribute']")
    attribute.set("maxOccurs", "unbounded")  # it was forgotten
    return etree.XMLSchema(document)
