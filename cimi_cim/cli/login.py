"""Who has to log in to the bridge that starts: the rule, and what it refuses."""

from __future__ import annotations

from pathlib import Path

from cimi_cim.cli.serving import is_loopback
from cimi_cim.config import Config
from cimi_cim.errors import ConfigError
from cimi_cim.http.authentication import Authenticator, BasicAuthentication, anybody
from cimi_cim.service.accounts import Accounts
from cimi_cim.service.store.database import Database


def authenticator_of(config: Config, database: Database, file: Path | None) -> Authenticator:
    """Return who lets clients in, by the configuration and the users of the store.

    `file` is the configuration file, for the command to run. Raises `ConfigError` rather
    than let others than this machine reach a bridge at which nobody, or everybody, gets in.
    """
    http = config.http
    mode, is_open = http.authentication, not is_loopback(http.host)
    if mode == "off":
        if is_open:
            raise ConfigError(
                f"{http.host} is no loopback address, and with `authentication: off` whoever"
                " reaches it may do everything; leave that key out"
            )
        return anybody
    is_always_needed = is_open or mode == "on"
    why = "with `authentication: on`" if mode == "on" else f"as {http.host} is no loopback address,"
    if is_always_needed and config.store is None:
        raise ConfigError(
            f"{why} clients must log in, and without a `store:` there is no place for users;"
            " name one, such as `store: sqlite:///cimi.db`, and add a user with `cimi-cim user add`"
        )
    if config.store is None:
        return anybody  # nobody can become a user of a store that goes with the process
    accounts = Accounts(database)
    if is_open and not accounts.are_there():
        where = "" if file is None else f" --config {file}"
        raise ConfigError(
            f"{why} clients must log in, and there is no user yet; add one with"
            f" `cimi-cim user add NAME --role administrator{where}`, or listen on 127.0.0.1"
        )
    return BasicAuthentication(
        accounts,
        is_always_needed=is_always_needed,
        has_public_entry_point=http.public_entry_point,
    )
