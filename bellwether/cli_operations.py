"""The commands that keep an installation well: status and tidy."""

from __future__ import annotations

from typing import Annotated

import typer

from bellwether.cli_options import Db, Json


def status(
    db: Db = None,
    as_json: Json = False,
    prometheus: Annotated[bool, typer.Option("--prometheus", help="Print gauges in Prometheus' text format.")] = False,
) -> None:
    """Say what is crawled, stale, failing and due, how jobs ended, and what is kept.

    Example: bellwether status --json
    """
    from bellwether import jobs
    from bellwether.exposition import exposition
    from bellwether.printing import print_object

    found = jobs.run_status(db)
    if prometheus:
        typer.echo(exposition(found), nl=False)
        return
    print_object(found, as_json)


def tidy(db: Db = None, as_json: Json = False) -> None:
    """Let go of archived pages and events that are older than [retention] in bellwether.toml allows.

    Example: bellwether tidy
    """
    from bellwether import jobs
    from bellwether.printing import print_object

    print_object(jobs.run_tidy(db), as_json)
