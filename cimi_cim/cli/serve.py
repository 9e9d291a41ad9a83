"""`cimi-cim serve`: the bridge."""

from __future__ import annotations

import ipaddress
import threading
from pathlib import Path

import click
from waitress.server import create_server

from cimi_cim.cli.serving import wait_for_the_end, write_ready_file
from cimi_cim.config import load_config
from cimi_cim.errors import ConfigError
from cimi_cim.http.app import make_app
from cimi_cim.mapping.open import open_engine
from cimi_cim.model.load import load_model
from cimi_cim.service.read import Reader


@click.command()
@click.option("--config", "file", type=click.Path(path_type=Path), required=True)
@click.option("--host", help="Address to listen on; overrides the configuration.")
@click.option("--port", type=int, help="Port to listen on; 0 picks a free one.")
@click.option("--ready-file", type=click.Path(path_type=Path), help="Written once ready, as JSON.")
def serve(file: Path, host: str | None, port: int | None, ready_file: Path | None) -> None:
    """Serve CIMI 2.0 and 1.x from the WBEM servers that the configuration FILE names."""
    config = load_config(file)
    if not config.targets:
        raise ConfigError(f"{file}: no target is configured; add `targets:` with alias and url")
    host = host or config.http.host
    if not _is_loopback(host):
        raise ConfigError(
            f"{host} can be reached from outside and there is no authentication; listen on"
            " 127.0.0.1 and put a proxy that authenticates in front"
        )
    model = load_model()
    engine = open_engine(config.targets, model)
    deadline_s = max(target.deadline_s for target in config.targets)
    app = make_app(
        Reader(model, engine, deadline_s=deadline_s), model, base_url=config.http.base_url
    )
    wanted = config.http.port if port is None else port
    try:
        server = create_server(app, host=host, port=wanted, threads=config.http.threads)
    except OSError as exc:
        engine.close()
        raise ConfigError(
            f"cannot listen on {host}:{wanted}: {exc.strerror}; say another port with --port"
        ) from exc
    base = config.http.base_url or f"http://{host}:{server.effective_port}"
    urls = {f"cimi{v}": f"{base}/cimi/{v}/cloudEntryPoint" for v in (2, 1)}
    worker = threading.Thread(target=server.run, name="http", daemon=True)
    worker.start()
    click.echo("\n".join(f"CIMI {name[-1]}.x  {url}" for name, url in urls.items()))
    write_ready_file(ready_file, urls)
    wait_for_the_end()
    server.close()
    server.task_dispatcher.shutdown()
    engine.close()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
