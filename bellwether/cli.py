"""The command line: commands parse and print, the work lives in the rooms below. Heavy imports stay inside the commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import bellwether
from bellwether import cli_backup, cli_evaluate, cli_feedback, cli_hub, cli_models, cli_operations, cli_sources
from bellwether.cli_options import AsOf, Cluster, Db, Json, fail_usage, parse_as_of

app = typer.Typer(
    name="bellwether",
    help="Which accounts are about to buy: dated, evidenced buying signals and scores you can audit.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(cli_evaluate.app, name="evaluate")
app.add_typer(cli_models.models, name="models")
app.add_typer(cli_hub.users, name="hub-user")
app.add_typer(cli_sources.sources, name="sources")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"bellwether {bellwether.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.", callback=_print_version, is_eager=True)] = False,
    log_json: Annotated[
        bool, typer.Option("--log-json", envvar="BELLWETHER_LOG_JSON", help="Say everything on standard error as one JSON object a line.")
    ] = False,
) -> None:
    """Which accounts are about to buy: dated, evidenced buying signals and scores you can audit."""
    if log_json:
        from bellwether.job_log import log_as_json

        log_as_json()


@app.command()
def init(folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Folder to set up.")] = Path()) -> None:
    """Write a commented bellwether.toml, the catalogue and an empty store.

    Example: bellwether init my-book
    """
    from bellwether.setup_folder import set_up

    for path, is_new in set_up(folder):
        typer.echo(f"{'wrote' if is_new else 'kept '} {path}")


@app.command("import")
def import_(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="accounts, partners, subscriptions, transactions, opportunities, or cloudascent.")
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="The CSV file.")],
    observed_on: Annotated[str, typer.Option(help="Day from which the facts count as known, YYYY-MM-DD; today by default.")] = "",
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Import a CSV file; bad rows go to FILE.rejects.csv with line, column and reason.

    Example: bellwether import accounts accounts.csv
    """
    from bellwether import jobs
    from bellwether.printing import print_cloudascent, print_import
    from intake import KINDS

    if kind == "cloudascent":
        print_cloudascent(jobs.run_import_cloudascent(db, file, parse_as_of(observed_on, "--observed-on")), file, as_json)
        return
    if kind not in KINDS:
        fail_usage(f"{kind!r} is none of {', '.join(KINDS)}, cloudascent")
    print_import(jobs.run_import(db, kind, file, parse_as_of(observed_on, "--observed-on")), file, as_json)


@app.command()
def crawl(
    kind: Annotated[
        str, typer.Argument(metavar="[KIND]", help="domains, feeds, articles, jobs, social or forums; all when none is named.")
    ] = "",
    shard: Annotated[str, typer.Option(metavar="i/n", help="Only the i-th of n parts of the accounts, by hash of their domains.")] = "",
    fingerprints: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Further technology fingerprints in the Wappalyzer schema, beside ours.")
    ] = None,
    cluster: Cluster = "",
    n_parts: Annotated[
        int, typer.Option("--parts", min=0, help="With --cluster: parts to cut the accounts into; 0 for one per worker.")
    ] = 0,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Ping domains, find sources, fetch feeds and articles, politely; resumes where it was killed.

    Example: bellwether crawl domains
    """
    from bellwether import jobs
    from bellwether.printing import print_object

    if kind and kind not in jobs.CRAWL_KINDS:
        fail_usage(f"{kind!r} is none of {', '.join(jobs.CRAWL_KINDS)}")
    print_object(jobs.run_crawl_job(db, [kind] if kind else list(jobs.CRAWL_KINDS), shard, fingerprints, cluster, n_parts), as_json)


@app.command()
def ingest(
    files: Annotated[list[Path], typer.Argument(metavar="FILE.warc[.gz]...", help="WARC and WET files: ours, Common Crawl's, anyone's.")],
    known_only: Annotated[bool, typer.Option("--known-only", help="Only records of accounts; nothing is noted of others.")] = False,
    domains: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Only records of the accounts with these domains, one a line.")
    ] = None,
    index: Annotated[
        Path | None, typer.Option(metavar="CDX", help="A CDX or CDXJ index: only the accounts' records it points to are read.")
    ] = None,
    n_jobs: Annotated[int, typer.Option("--jobs", help="Files read at once; 0 for one per core.")] = 1,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Take archived pages in place of a crawl.

    Example: bellwether ingest pages.warc.gz
    """
    from bellwether import jobs
    from bellwether.printing import print_object

    print_object(jobs.run_ingest(db, files, domains, known_only, index, n_jobs), as_json)


@app.command()
def extract(
    n_jobs: Annotated[int, typer.Option("--jobs", help="Sandboxed workers; 0 for one per core.")] = 0,
    cluster: Cluster = "",
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Turn new pages into documents and signal events (nightly).

    Example: bellwether extract --jobs 2
    """
    from bellwether import jobs
    from bellwether.printing import print_object

    print_object(jobs.run_extract(db, n_jobs, cluster), as_json)


@app.command()
def classify(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE.jsonl]", help="Lines of texts; standard input when not named.")] = None,
) -> None:
    """Read texts as JSON lines, print the events of each as JSON lines, in the same order.

    Example: bellwether classify texts.jsonl > events.jsonl
    """
    from bellwether import jobs

    for line in jobs.iter_classified(file):
        typer.echo(line)


@app.command()
def score(
    as_of: AsOf = "",
    cluster: Cluster = "",
    to_lake: Annotated[
        bool, typer.Option("--to-lake", help="With --cluster: rows go to the Parquet lake from where they are made, not into the store.")
    ] = False,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Score every account for every product as of a date: fit, buying signals, clusters, and the model card (monthly).

    Example: bellwether score --as-of 2026-11-01
    """
    from bellwether import jobs
    from bellwether.printing import print_clusters, print_object

    if to_lake:
        if not cluster:
            fail_usage("--to-lake needs --cluster")
        lake_run, place = jobs.run_score_to_lake(db, parse_as_of(as_of), cluster)
        print_object({"run_id": lake_run.run_id, "as_of": lake_run.as_of, "n_accounts": lake_run.n_accounts, "lake": place}, as_json)
        return
    run, counts, card = jobs.run_score(db, parse_as_of(as_of), cluster)
    print_clusters(run, counts, as_json)
    typer.echo(f"model card: {card}", err=True)


app.command()(cli_feedback.feedback)
app.command()(cli_models.learn)
app.command()(cli_models.validate)
app.command()(cli_hub.serve)
app.command()(cli_backup.backup)
app.command()(cli_backup.restore)
app.command("hub-tick")(cli_hub.hub_tick)


@app.command()
def report(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="agreement-renewal, cloud-ai-platform, ai-business-solutions, security, surface or crm-clusters."
        ),
    ],
    file_format: Annotated[
        str, typer.Option("--format", metavar="csv|xlsx|parquet", help="File format; by FILE's ending when not given.")
    ] = "",
    columns: Annotated[str, typer.Option(metavar="A,B,…", help="Only these columns.")] = "",
    partner: Annotated[str, typer.Option(metavar="GLOBALID", help="Only accounts that transacted with this partner.")] = "",
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to write; <name>-<as of>.csv by default.")] = None,
    as_of: AsOf = "",
    db: Db = None,
) -> None:
    """Write one of the five propensity reports, or the clusters keyed for a CRM.

    Example: bellwether report security --partner 4100123 --out security.csv
    """
    from bellwether import jobs
    from reports import FORMATS, REPORTS

    if name not in REPORTS:
        fail_usage(f"{name!r} is none of {', '.join(REPORTS)}")
    chosen_format = file_format or (out.suffix.removeprefix(".").lower() if out else "csv")
    if chosen_format not in FORMATS:
        fail_usage(f"{chosen_format!r} is no file format of a report; --format is one of {', '.join(FORMATS)}")
    chosen = [column.strip() for column in columns.split(",") if column.strip()]
    written = jobs.run_report(db, name, partner or None, out, parse_as_of(as_of) if as_of else None, chosen_format, chosen)
    typer.echo(f"{written.path}: {written.n_rows} rows")


@app.command()
def summary(
    out: Annotated[Path, typer.Option(metavar="FILE.html", help="Where to write.")] = Path("summary.html"),
    as_of: AsOf = "",
    db: Db = None,
) -> None:
    """Write a one-page HTML summary of a scoring run, with plots.

    Example: bellwether summary --out summary.html
    """
    from bellwether import jobs

    typer.echo(str(jobs.run_summary(db, out, parse_as_of(as_of) if as_of else None)))


@app.command()
def explain(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Domain, name, customer id or account id.")],
    product: Annotated[str, typer.Option(metavar="P", help="Only this product.")] = "",
    as_of: AsOf = "",
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Show how an account's scores came about: contributions, events, quotes, archived pages.

    Example: bellwether explain example.com --product Azure
    """
    from bellwether import jobs
    from bellwether.printing import print_explanation

    print_explanation(jobs.run_explain(db, account, product or None, parse_as_of(as_of) if as_of else None), as_json)


@app.command()
def forget(
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="The company's domain.")],
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Remove every trace of a company, rows and archived pages, and block it from then on. Reports written before must be written again.

    Example: bellwether forget northwind.example
    """
    from bellwether import jobs
    from bellwether.printing import print_object

    print_object(jobs.run_forget(db, domain), as_json)


app.command()(cli_operations.status)
app.command()(cli_operations.tidy)
app.command()(cli_operations.plan)
app.command()(cli_operations.lake)


@app.command()
def doctor(db: Db = None, as_json: Json = False) -> None:
    """Check the installation; each finding comes with its remedy.

    Example: bellwether doctor
    """
    from bellwether.doctor import check_installation
    from bellwether.printing import print_checks

    checks = check_installation(db)
    print_checks(checks, as_json)
    if any(check.state == "fail" for check in checks):
        raise typer.Exit(1)
