"""Clauses 5.14.3 to 5.15.8 for what the store keeps: templates, images, credentials."""

from __future__ import annotations

import pytest

from cimi_cim.model.types import CimiVersion
from tests.contract.making import Maker, named
from tests.contract.provider import JSON, XML, operation
from tests.contract.values import items

Makers = dict[CimiVersion, Maker]
V2 = CimiVersion.V2
VERSIONS = pytest.mark.parametrize("version", list(CimiVersion), ids=named)


@VERSIONS
@pytest.mark.parametrize("type_name", ["MachineImage", "VolumeImage"])
def test_5_14_7_a_new_image_is_available(
    makers: Makers, type_name: str, version: CimiVersion
) -> None:
    maker = makers[version]
    answer = maker.add(type_name, {"imageLocation": "http://elsewhere.example/image"})
    assert answer.json["state"] == "AVAILABLE"
    assert answer.json["imageLocation"] == "http://elsewhere.example/image"
    forged = maker.add(type_name, {"state": "ERROR"})
    assert (forged.status, forged.json["state"]) == (201, "AVAILABLE")


@VERSIONS
def test_5_14_7_related_images_are_set_by_the_provider_alone(
    makers: Makers, version: CimiVersion
) -> None:
    maker, provider = makers[version], makers[version].provider
    other = {"href": maker.make("MachineImage")["id"]}
    made = maker.add("MachineImage", {"type": "IMAGE", "relatedImage": other})
    assert made.status == 201
    assert "relatedImage" not in made.json
    edit = str(operation(made.json, "edit"))
    assert provider.send("PUT", edit, {**made.json, "relatedImage": other}).status == 200
    assert "relatedImage" not in provider.get(made.json["id"])


@VERSIONS
@pytest.mark.parametrize("type_name", ["Credential", "CredentialTemplate"])
def test_5_14_9_secrets_are_never_returned(
    makers: Makers, type_name: str, version: CimiVersion
) -> None:
    maker, provider = makers[version], makers[version].provider
    secret = "correct horse battery"
    made = maker.make(type_name, password=secret)
    assert made["userName"]
    edit = str(operation(made, "edit"))
    holder = maker.make("MachineTemplate", credential={"userName": "r", "password": secret})
    answers = [
        provider.send("PUT", edit, {**made, "password": secret}),
        *(provider.request("GET", made["id"], accept=media) for media in (JSON, XML)),
        *(provider.request("GET", maker.collection(type_name), ("$select", "password"),
                           accept=media) for media in (JSON, XML)),
        *(provider.request("GET", holder["id"], ("$expand", "*"), accept=media)
          for media in (JSON, XML)),
        provider.request("GET", maker.collection(type_name), ("$filter", f"password='{secret}'")),
        provider.request("GET", maker.collection(type_name), ("$orderby", "password")),
    ]  # fmt: skip
    assert secret not in "".join(answer.body.decode() for answer in answers[:-2])
    assert items(answers[-2].json) == [] if answers[-2].status == 200 else True
    assert answers[-2].status in (200, 400)


@VERSIONS
def test_5_15_5_the_mapped_type_is_written_as_the_version_does(
    makers: Makers, version: CimiVersion
) -> None:
    maker, provider = makers[version], makers[version].provider
    for namespace in ("http://schemas.dmtf.org/cimi/1", "http://schemas.dmtf.org/cimi/2"):
        made = maker.make("VolumeConfiguration", type=f"{namespace}/mapped")
        assert made["type"] == f"{version.namespace}/mapped"
        root = provider.get_xml(made["id"])
        assert root.findtext(f"{{{version.namespace}}}type") == f"{version.namespace}/mapped"
