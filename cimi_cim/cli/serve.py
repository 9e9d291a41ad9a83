"""`cimi-cim serve`: the bridge."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from cimi_cim.cli.greeting import greeted
from cimi_cim.cli.login import authenticator_of
from cimi_cim.cli.serving import ReadyFile, leave, wait_for_the_end
from cimi_cim.cli.stores import opened_box, opened_store
from cimi_cim.config import Config, TargetConfig, load_config
from cimi_cim.http.app import make_app
from cimi_cim.http.authentication import Authenticator
from cimi_cim.http.server import HttpServer
from cimi_cim.lab.server import lab_server
from cimi_cim.lab.simulation import Simulation
from cimi_cim.mapping.open import open_engine
from cimi_cim.model.load import load_model
from cimi_cim.service.events import outages_kept_in
from cimi_cim.service.provision.open import opened_jobs
from cimi_cim.service.service import make_service
from cimi_cim.service.store.database import Database
from cimi_cim.service.store.secrets import Secrets
from cimi_cim.service.store.store import Store


@click.command()
@click.option(
    "--config", "file", type=click.Path(path_type=Path), envvar="CIMI_CIM_CONFIG",
    help="Names the WBEM servers.",
)  # fmt: skip
@click.option("--host", help="Address to listen on; overrides the configuration.")
@click.option("--port", type=int, help="Port to listen on; 0 picks a free one.")
@click.option("--ready-file", type=click.Path(path_type=Path), help="Written once ready, as JSON.")
def serve(file: Path | None, host: str | None, port: int | None, ready_file: Path | None) -> None:
    """Serve CIMI 2.0 and 1.x from the WBEM servers that the configuration names.

    Without a configured target the bridge brings a WBEM server of its own, with
    simulated hosts and machines.
    """
    config = load_config(file, environment=os.environ, flags={"http.host": host, "http.port": port})
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("cimi_cim").setLevel(config.log_level.upper())
    ready = ReadyFile(ready_file)
    with ExitStack() as stack:
        database = stack.enter_context(opened_store(config))
        authenticator = authenticator_of(config, database, file)
        secrets = Secrets(load_model(), opened_box(config, database))
        store = Store(database, secrets)
        urls = {}
        targets = config.targets
        if not targets:
            front = stack.enter_context(lab_server(Simulation()))
            targets = (TargetConfig("lab", front.url),)
            urls["wbem"] = front.url
        urls |= stack.enter_context(_bridge(targets, config, database, store, authenticator))
        for name, what in _SHOWN.items():
            if name in urls:
                click.echo(f"{what}  {urls[name]}")
        if config.targets and config.store is None:
            click.echo(
                "cimi-cim: no `store:` is configured, so what only the bridge holds is gone at its"
                " end; name a database, such as `store: sqlite:///cimi.db`",
                err=True,
            )
        wait_for_the_end(ready, urls)


_SHOWN = {"cimi2": "CIMI 2.0", "cimi1": "CIMI 1.x", "wbem": "CIM-XML of the embedded lab"}


@contextmanager
def _bridge(
    targets: Sequence[TargetConfig],
    config: Config,
    database: Database,
    store: Store,
    authenticator: Authenticator,
) -> Iterator[dict[str, str]]:
    """Run the bridge as long as the context lasts; gives the CloudEntryPoints' URLs."""
    model, http = load_model(), config.http
    deadline_s = max(target.deadline_s for target in targets)

    def cut(what: str) -> None:
        click.echo(f"cimi-cim: cut {what} within {http.drain_s:g} s", err=True)
        leave(0)

    with ExitStack() as stack:
        engine = open_engine(targets, model, config.breaker, config.placement)
        stack.callback(engine.close)
        engine.on_outage(outages_kept_in(store))
        jobs = stack.enter_context(
            opened_jobs(
                model, engine, database, store, deadline_s, config.jobs,
                drain_s=http.drain_s, cut=lambda: cut("what Jobs had not done"),
            )
        )  # fmt: skip
        service = make_service(model, engine, store, jobs=jobs, deadline_s=deadline_s)
        app = make_app(service, http=http, authenticator=authenticator)
        server = HttpServer(app, http)
        base = http.base_url or server.url
        server.start()
        try:
            with greeted(engine, targets):
                yield {f"cimi{v}": f"{base}/cimi/{v}/cloudEntryPoint" for v in (2, 1)}
        finally:
            if not server.drain(http.drain_s):
                cut("what was not answered")
