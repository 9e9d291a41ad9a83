"""`cimi-cim explain`: how the bridge would answer a request, down to the CIM-XML."""

from __future__ import annotations

import io
import json
import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit
from wsgiref.util import setup_testing_defaults

import click
from rich.console import Console

from cimi_cim.cli.stores import opened_store
from cimi_cim.config import Config, TargetConfig, load_config
from cimi_cim.errors import BadRequest, CimiCimError, ConfigError
from cimi_cim.http.app import make_app
from cimi_cim.http.explained_text import rendered, text_of
from cimi_cim.http.explaining import HEADER
from cimi_cim.lab.server import lab_server
from cimi_cim.lab.simulation import Simulation
from cimi_cim.mapping.open import open_engine
from cimi_cim.model.load import load_model
from cimi_cim.service.rehearsal import TrialJobs
from cimi_cim.service.service import make_service
from cimi_cim.service.store.database import file_of
from cimi_cim.service.store.secrets import SecretBox, Secrets
from cimi_cim.service.store.store import Store

_PLAIN_IN_QUERY = "$&=+,;:@/?!*'()~%"


@click.command()
@click.argument("uri")
@click.option(
    "--config", "file", type=click.Path(path_type=Path), envvar="CIMI_CIM_CONFIG",
    help="Names the WBEM servers; without one the embedded lab is asked.",
)  # fmt: skip
@click.option("-X", "method", help="Method of the request; GET, or POST where there is --data.")
@click.option("--data", type=click.Path(path_type=Path, allow_dash=True),
              help="File with the body of the request; - for stdin.")  # fmt: skip
@click.option("-H", "headers", multiple=True, metavar="'NAME: VALUE'", help="A header; repeatable.")
@click.option("--json", "is_json", is_flag=True, help="Print the explanation as JSON.")
def explain(
    uri: str,
    file: Path | None,
    method: str | None,
    data: Path | None,
    headers: Sequence[str],
    is_json: bool,
) -> None:
    """Tell how the bridge answers a request for URI, and from what.

    URI is absolute, or a path such as '/cimi/2/machines?$first=1', or '/machines' of CIMI 2.0.

    Plan and reasons, each operation on the WBEM servers with time, size and rows, and where
    each attribute comes from: raw values, conversions, the rule that matched. What would
    change something is told and not sent: method calls with their parameters.
    """
    config = load_config(file, environment=os.environ)
    body = b"" if data is None else _read(data)
    said = dict(_header(line) for line in headers)
    if body:
        said.setdefault("Content-Type", _form_of(body))
    document = explained(
        config, method or ("GET" if data is None else "POST"), uri, headers=said, body=body
    )
    if is_json:
        click.echo(json.dumps(document, indent=2))
    elif Console().is_terminal:
        Console(highlight=False).print(rendered(document))
    else:
        click.echo(text_of(document), nl=False)


def explained(
    config: Config, method: str, uri: str, *, headers: dict[str, str], body: bytes = b""
) -> dict[str, Any]:
    """Return the document that explains a request to the bridge of a configuration.

    Raises `CimiCimError` where a request has no explanation.
    """
    with _silent(), _app(config) as app:
        sent = headers | {HEADER: "1", "Accept": "application/json"}
        status, answer = _asked(app, method.upper(), _target(uri, config.http.base_url), sent, body)
    document: dict[str, Any] = json.loads(answer)
    if not status.startswith("200"):
        raise CimiCimError(f"{status}: {document.get('statusMessage', '')}")
    return document


@contextmanager
def _silent() -> Iterator[None]:
    """Log nothing: what fails, the explanation tells."""
    log = logging.getLogger("cimi_cim")
    before = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(before)


@contextmanager
def _app(config: Config) -> Iterator[Any]:
    """Open the bridge, without a listening socket and without Jobs, as long as the context lasts.

    Nothing is changed in the configured store; one that is not there yet is not made.
    """
    model = load_model()
    is_new = config.store is not None and (
        (at := file_of(config.store.reveal())) is not None and not at.exists()
    )
    with ExitStack() as stack:
        targets = config.targets
        if not targets:
            targets = (TargetConfig("lab", stack.enter_context(lab_server(Simulation())).url),)
        database = stack.enter_context(
            opened_store(replace(config, store=None) if is_new else config)
        )
        # Nothing is unsealed: no secret is part of an answer.
        store = Store(database, Secrets(model, SecretBox([SecretBox.new_key()]))).trial()
        engine = open_engine(targets, model)
        stack.callback(engine.close)
        deadline_s = max(target.deadline_s for target in targets)
        service = make_service(model, engine, store, jobs=TrialJobs(None), deadline_s=deadline_s)
        host, port = config.http.host, config.http.port
        host = f"[{host}]" if ":" in host else host
        http = replace(config.http, base_url=config.http.base_url or f"http://{host}:{port}")
        yield make_app(service, http=http)


def _target(uri: str, base_url: str | None) -> str:
    """Return path and query of a URI as a request line has them."""
    if base_url is not None and uri.startswith(base_url):
        uri = uri.removeprefix(base_url)
    try:
        parts = urlsplit(uri)
    except ValueError as exc:
        raise BadRequest(f"{uri!r} is no URI: {exc}") from exc
    path = "/" + parts.path.lstrip("/")
    if not re.match(r"/cimi(/|\Z)", path):
        path = f"/cimi/2{path.rstrip('/')}"
    query = quote(parts.query, safe=_PLAIN_IN_QUERY)
    return f"{quote(path, safe='/%:@!$&()*+,;=~')}{'?' if query else ''}{query}"


def _asked(
    app: Any, method: str, target: str, headers: dict[str, str], body: bytes
) -> tuple[str, bytes]:
    """Return status and body of what a WSGI application answers."""
    path, _, query = target.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": unquote(path, "latin-1"),
        "QUERY_STRING": query,
        "REQUEST_URI": target,
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    setup_testing_defaults(environ)
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    began: list[str] = []
    pieces = app(environ, lambda status, sent, trouble=None: began.append(status))
    return began[0], b"".join(pieces)


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name.strip():
        raise BadRequest(f"{line!r} is no header; write 'Name: value'")
    return "-".join(word.capitalize() for word in name.strip().split("-")), value.strip()


def _form_of(body: bytes) -> str:
    return "application/xml" if body.lstrip()[:1] == b"<" else "application/json"


def _read(data: Path) -> bytes:
    if str(data) == "-":
        return click.get_binary_stream("stdin").read()
    try:
        return data.read_bytes()
    except OSError as exc:
        raise ConfigError(f"{data} cannot be read: {exc.strerror}") from exc
