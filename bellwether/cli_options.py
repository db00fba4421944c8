"""Options that several commands share."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer

Db = Annotated[
    Path | None, typer.Option("--db", metavar="PATH", help="The store; else BELLWETHER_DB, else bellwether.db beside bellwether.toml.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Cluster = Annotated[
    str, typer.Option("--cluster", metavar="ADDRESS", help="Run on the Dask cluster at tcp://HOST:PORT, or local:N for N workers here.")
]
AsOf = Annotated[str, typer.Option("--as-of", metavar="D", help="Date YYYY-MM-DD; only what was known by its end counts.")]


def parse_as_of(text: str, option: str = "--as-of") -> date:
    """The date an option names; today (UTC) when it is empty: here, at the edge, is the one look at the calendar."""
    if not text:
        return datetime.now(UTC).date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        fail_usage(f"{option} must be a date as YYYY-MM-DD, got {text!r}")


def fail_usage(message: str) -> NoReturn:
    """Ends the command with exit status 2 and one line."""
    typer.echo(f"bellwether: {message}", err=True)
    raise typer.Exit(2)
