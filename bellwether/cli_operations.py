"""The commands that keep an installation well: status, tidy, its tables for other programs, and what a larger one will take."""

from __future__ import annotations

from typing import Annotated

import typer

from bellwether.cli_options import Db, Json, fail_usage


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


def lake(
    db: Db = None,
    source: Annotated[
        str, typer.Option("--from", metavar="LAKE", help="The other way: take a scoring run out of this lake, for the hub to show.")
    ] = "",
    run: Annotated[str, typer.Option("--run", metavar="ID", help="With --from: which run; else the latest date's.")] = "",
    with_book: Annotated[
        bool, typer.Option("--with-book", help="With --from: accounts, purchases and events too, in place of the store's own.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write the store's tables as Parquet below storage.lake, for DuckDB and whatever else reads it; again after each job to bring it up to date.

    Example: bellwether lake
    """
    from bellwether import jobs
    from bellwether.printing import print_object

    if (run or with_book) and not source:
        fail_usage("--run and --with-book go with --from")
    print_object(jobs.run_lake_from(db, source, run or None, with_book) if source else jobs.run_lake(db), as_json)


def plan(
    accounts: Annotated[int, typer.Option("--accounts", metavar="N", min=1, help="Accounts to watch.")],
    pages_per_month: Annotated[int, typer.Option("--pages-per-month", metavar="M", min=0, help="New pages of all of them in a month.")],
    cores: Annotated[int, typer.Option("--cores", min=0, help="Cores there are; 0 for as many as it takes.")] = 0,
    visits: Annotated[int, typer.Option("--visits-per-month", min=1, help="How often each company is looked at.")] = 30,
    months: Annotated[int, typer.Option("--months", min=1, help="How long pages and events are kept.")] = 12,
    latency_ms: Annotated[float, typer.Option("--latency-ms", min=0, help="Until a site has answered.")] = 500,
    as_json: Json = False,
) -> None:
    """Say what so many accounts and pages take: cores, disk, network, hours, and what breaks first, by measured unit costs.

    Example: bellwether plan --accounts 1000000 --pages-per-month 5000000
    """
    from bellwether.plan import Premises, load_costs
    from bellwether.plan import plan as plan_month
    from bellwether.printing import print_plan

    premises = Premises(visits_per_month=visits, months=months, latency_s=latency_ms / 1000)
    print_plan(plan_month(load_costs(), accounts, pages_per_month, premises, cores), as_json)
