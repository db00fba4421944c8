"""``bellwether sources …``: where companies publish, as found by the crawl and as the operator knows better."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bellwether.cli_options import Db, Json

sources = typer.Typer(help="Where companies publish: list, add, forbid, OPML in and out.", no_args_is_help=True, rich_markup_mode=None)
Domain = Annotated[str, typer.Argument(help="The account's domain.")]
Url = Annotated[str, typer.Argument(help="Address of a feed, listing, sitemap, or a profile on a platform.")]


@sources.command("list")
def list_sources(domain: Domain, db: Db = None, as_json: Json = False) -> None:
    """List the sources of an account and when each is due again.

    Example: bellwether sources list example.com
    """
    from bellwether import source_jobs
    from bellwether.printing import print_object

    print_object({"sources": source_jobs.list_sources(db, domain)}, as_json)


@sources.command()
def add(
    domain: Domain,
    url: Url,
    kind: Annotated[str, typer.Option(help="feed, sitemap, blog, newsroom, careers, jobs, social or forums.")] = "feed",
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Add a source that the crawl did not find.

    Example: bellwether sources add example.com https://example.com/updates --kind blog
    """
    from bellwether import source_jobs
    from bellwether.printing import print_object

    print_object(source_jobs.add_source(db, domain, url, kind), as_json)


@sources.command()
def forbid(domain: Domain, url: Url, db: Db = None, as_json: Json = False) -> None:
    """Never visit a source again, nor find it anew.

    Example: bellwether sources forbid example.com https://example.com/feed
    """
    from bellwether import source_jobs
    from bellwether.printing import print_object

    print_object(source_jobs.add_source(db, domain, url, "forbidden"), as_json)


@sources.command("import")
def import_opml(file: Annotated[Path, typer.Argument(metavar="FILE.opml")], db: Db = None, as_json: Json = False) -> None:
    """Take the feeds of an OPML file that belong to accounts.

    Example: bellwether sources import feeds.opml
    """
    from bellwether import source_jobs
    from bellwether.printing import print_object

    print_object(source_jobs.import_opml(db, file), as_json)


@sources.command("export")
def export_opml(db: Db = None) -> None:
    """Print the feeds of all accounts as OPML.

    Example: bellwether sources export > feeds.opml
    """
    from bellwether import source_jobs

    typer.echo(source_jobs.export_opml(db), nl=False)
