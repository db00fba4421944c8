"""The commands of the downloads hub: serve, hub-tick, hub-user."""

from __future__ import annotations

import dataclasses
import ipaddress
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from bellwether.cli_options import AsOf, Db, Json, fail_usage, parse_as_of
from storage.store import Store

users = typer.Typer(help="Who may use the hub, and what they may see.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="NAME", help="The person's name at sign-in.")]


def serve(
    address: Annotated[str, typer.Option("--address", help="Where to listen; loopback unless a TLS proxy stands in front.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port.")] = 8300,
    public_host: Annotated[str, typer.Option(metavar="NAME", help="The hub's name behind a TLS proxy on this machine.")] = "",
    db: Db = None,
) -> None:
    """Serve the downloads hub; `hub-user add` makes the first account.

    Example: bellwether serve --port 8300
    """
    if not public_host and not _is_loopback(address):
        fail_usage(
            f"--address {address} is not loopback: passwords would cross the network in clear; put a TLS proxy in front, give --public-host"
        )
    set_up(db, public_host or None)
    from hub.serving import serve as serve_hub

    typer.echo(f"the hub listens at http://{address}:{port}/", err=True)
    serve_hub(address, port)


def hub_tick(as_of: AsOf = "", db: Db = None) -> None:
    """Make the scheduled reports that are due (from a timer, daily).

    Example: bellwether hub-tick
    """
    set_up(db, None)
    from hub.making import make_due

    for file in make_due(parse_as_of(as_of)):
        typer.echo(
            f"{file.saved.name}: {file.state}{f', {file.n_rows} rows' if file.n_rows is not None else ''}{': ' + file.error if file.error else ''}"
        )


@users.command("add")
def add_user(name: Name, db: Db = None) -> None:
    """Add someone or change their password; it is asked for, or read from standard input.

    Example: bellwether hub-user add sam
    """
    set_up(db, None)
    from hub.people import add_person

    password = (
        typer.prompt("Password", hide_input=True, confirmation_prompt=True) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    )
    add_person(name, password)
    typer.echo(f"{name} may sign in; give them a right with `bellwether hub-user grant {name}`")


@users.command("grant")
def grant_right(
    name: Name,
    partner: Annotated[
        str, typer.Option(metavar="GLOBALID", help="Only accounts that transacted with this partner; all when not given.")
    ] = "",
    country: Annotated[str, typer.Option(metavar="XX", help="Only accounts of this country.")] = "",
    executive: Annotated[bool, typer.Option("--executive", help="Executive report viewer: sees the overview too.")] = False,
    db: Db = None,
) -> None:
    """Give a role for a partner.

    Example: bellwether hub-user grant sam --partner 4100117
    """
    set_up(db, None)
    from hub.models import EXECUTIVE, VIEWER
    from hub.people import grant

    grant(name, EXECUTIVE if executive else VIEWER, partner, country)
    typer.echo(f"{name}: granted")


@users.command("revoke")
def revoke_right(
    name: Name,
    partner: Annotated[str, typer.Option(metavar="GLOBALID", help="Only the rights for this partner; all when not given.")] = "",
    block: Annotated[bool, typer.Option("--block", help="Keep the person out altogether.")] = False,
    db: Db = None,
) -> None:
    """Take rights away; holds from the person's next request on.

    Example: bellwether hub-user revoke sam --partner 4100117
    """
    set_up(db, None)
    from hub import people

    typer.echo(f"{name}: {people.revoke(name, partner or None)} rights revoked")
    if block:
        people.block(name)


@users.command("list")
def list_users(db: Db = None, as_json: Json = False) -> None:
    """List everyone with their rights.

    Example: bellwether hub-user list
    """
    set_up(db, None)
    from hub.people import list_people

    for row in list_people():
        typer.echo(_json(row) if as_json else f"{row['name']:20} {row['state']:8} {row['rights'] or 'no rights'}")


def set_up(db: Path | None, public_host: str | None) -> None:
    """Sets the hub up beside the store."""
    from bellwether.catalogue_file import load_catalogue
    from bellwether.config import load_config
    from bellwether.jobs import hub_files
    from hub.setup import HubSettings, set_up_hub

    def load_outlook(store: Store, run_id: str, account_id: str) -> dict[str, dict[str, Any]]:
        from scoring import outlook  # kept out of start-up

        return {name: dataclasses.asdict(each) for name, each in outlook.load_outlook(store, catalogue, run_id, account_id).items()}

    config = load_config(db)
    catalogue = load_catalogue(config.catalogue)
    os.umask(0o077)
    folder = config.db.parent
    set_up_hub(HubSettings(config.db, folder / "hub.db", hub_files(config.db), catalogue, public_host, load_outlook=load_outlook))


def _is_loopback(address: str) -> bool:
    try:
        return address == "localhost" or ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _json(row: object) -> str:
    import json

    return json.dumps(row, ensure_ascii=False)
