"""``bellwether feedback``: a reader's word on an event."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bellwether.cli_options import AsOf, Db, fail_usage, parse_as_of


def feedback(
    event: Annotated[
        str, typer.Argument(metavar="[EVENT_ID|DOMAIN]", help="The event that is judged; or a company, to list its events.")
    ] = "",
    wrong: Annotated[bool, typer.Option("--wrong", help="The event did not happen, or not so: score and report it no more.")] = False,
    right: Annotated[bool, typer.Option("--right", help="The event is right; takes an earlier --wrong back.")] = False,
    reason: Annotated[str, typer.Option(help="Why, in a few words.")] = "",
    export: Annotated[
        Path | None,
        typer.Option(metavar="FILE.jsonl", help="Write what was judged as training examples for `python -m signals.training --feedback`."),
    ] = None,
    as_of: AsOf = "",
    db: Db = None,
) -> None:
    """Mark an event as wrong or right, list a company's events with their ids, or export what was judged as training examples.

    Example: bellwether feedback 5f2c9a01d3b47e60 --wrong --reason "it is their customer's funding round"
    """
    from bellwether import feedback_jobs
    from bellwether.printing import print_table

    if (
        (wrong or right) + (export is not None) + bool(event and not wrong and not right) != 1
        or (wrong and right)
        or ((wrong or right) and not event)
    ):
        fail_usage("give an event's id with --wrong or --right, or a company's domain alone, or --export FILE.jsonl")
    if export is not None:
        typer.echo(f"{export}: {feedback_jobs.run_export(db, export, parse_as_of(as_of))} examples")
    elif wrong or right:
        kept = feedback_jobs.run_feedback(db, event, "wrong" if wrong else "right", reason or None, parse_as_of(as_of))
        typer.echo(f"event {kept.event_id} is {kept.verdict} from {kept.given_on} on; score again to see its effect")
    else:
        rows = feedback_jobs.list_events(db, event)
        print_table(("event", "type", "on", "verdict", "quote"), [tuple(row.values()) for row in rows])
