"""`cimi-cim openapi`: what the bridge would answer to, as an OpenAPI document."""

from __future__ import annotations

import os
from pathlib import Path

import click
import orjson

from cimi_cim.config import TargetConfig, load_config
from cimi_cim.http.openapi.document import describe
from cimi_cim.mapping.open import open_engine
from cimi_cim.model.load import load_model
from cimi_cim.service.catalog import Catalog

_EMBEDDED = TargetConfig("lab", "http://127.0.0.1:5988")
"""The target that `serve` brings along where none is configured; here it is only described."""


@click.command()
@click.option(
    "--config", "file", type=click.Path(path_type=Path), envvar="CIMI_CIM_CONFIG",
    help="Names the WBEM servers; their mappings decide what there is.",
)  # fmt: skip
def openapi(file: Path | None) -> None:
    """Print the OpenAPI 3.1 document that `serve` answers at /openapi.json.

    No server is asked anything. Without a configured target it is the document of the
    embedded lab.
    """
    config = load_config(file, environment=os.environ)
    model = load_model()
    engine = open_engine(config.targets or (_EMBEDDED,), model)
    host = f"[{config.http.host}]" if ":" in config.http.host else config.http.host
    base_url = config.http.base_url or f"http://{host}:{config.http.port}"
    try:
        document = describe(Catalog(model, engine, can_provision=True), base_url)
    finally:
        engine.close()
    click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))
