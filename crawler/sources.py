"""Sources by an operator's hand: added, forbidden, taken from OPML and given out as OPML."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from urllib.parse import urlsplit

from crawler.opml import write_opml
from crawler.platforms import platform_sources, reader_of
from crawler.url_limits import why_refused
from sandbox import Sandbox, TaskFailure
from storage.errors import InputError, UnknownAccountError
from storage.ids import content_key
from storage.records import Source
from storage.store import Store
from urls import canonical_url, registrable_domain, same_site

KINDS = ("feed", "sitemap", "blog", "newsroom", "careers", "jobs", "social", "forums")
FORBIDDEN = "forbidden"  # the kind of a source that no spider visits and no discovery brings back
BY_HAND = "operator"


@dataclasses.dataclass(frozen=True, slots=True)
class OpmlSummary:
    """What became of an OPML file's feeds; unmatched ones belong to no account's domain."""

    n_feeds: int
    n_added: int
    unmatched: list[str]


def add_source(store: Store, domain: str, url: str, kind: str, now: str) -> Source:
    """Adds a source to an account, or gives a known one another kind.

    Raises:
        UnknownAccountError: no account has the domain.
        InputError: the URL cannot be crawled, or the kind is none.
    """
    account_id = store.value("SELECT account_id FROM accounts WHERE domain = ?", (domain,))
    if account_id is None:
        raise UnknownAccountError(f"no account has the domain {domain!r}; see `bellwether import accounts`")
    if kind not in (*KINDS, FORBIDDEN):
        raise InputError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    why = why_refused(url)
    if why is not None:
        raise InputError(f"cannot crawl {url}: {why}")
    found = platform_sources([url])
    if found and kind != FORBIDDEN:  # a profile's address stands for its public feed
        kind, url = found[0]["kind"], found[0]["url"]
    source = Source(content_key("source", account_id, url), account_id, kind, url, BY_HAND, now, None, None, None)
    store.save([source])
    return source


def import_opml(store: Store, sandbox: Sandbox, file: Path, now: str) -> OpmlSummary:
    """Adds the feeds of a file whose own or site's domain is an account's. Reading the same file again changes nothing.

    Raises:
        InputError: the file cannot be read as OPML.
    """
    try:
        body = file.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}") from error
    outlines = sandbox.run("crawler.opml:parse_opml", body)
    if isinstance(outlines, TaskFailure):
        raise InputError(f"{file} is no OPML: {outlines.detail}")
    accounts = {
        registrable_domain(row["domain"]): (row["domain"], row["account_id"])
        for row in store.query("SELECT domain, account_id FROM accounts")
    }
    n_added, unmatched = 0, []
    for outline in outlines:
        feed = outline["feed"]
        account = next((accounts[site] for site in _sites(outline["site"], feed) if site in accounts), None)
        if account is None or why_refused(feed) is not None:
            unmatched.append(feed)
            continue
        domain, account_id = account
        url = canonical_url(feed)
        kind = "feed" if same_site(url, domain) else _kind_elsewhere(url)
        source = Source(content_key("source", account_id, url), account_id, kind, url, f"{BY_HAND}: {file.name}", now, None, None, None)
        if not store.value("SELECT 1 FROM sources WHERE source_id = ?", (source.source_id,)):
            store.save([source])
            n_added += 1
    return OpmlSummary(len(outlines), n_added, unmatched)


def export_opml(store: Store) -> str:
    """All feeds of all accounts as OPML."""
    companies: dict[str, tuple[str, str, list[str]]] = {}
    for row in store.query(
        "SELECT a.account_name, a.domain, s.url FROM sources s JOIN accounts a USING (account_id) WHERE s.kind IN ('feed', 'social', 'forums')"
        " ORDER BY a.domain, s.url"
    ):
        if row["url"].endswith(".json") or reader_of(row["url"]) not in ("post_feed", "job_feed"):
            continue  # an API that no feed reader reads
        companies.setdefault(row["domain"], (row["account_name"], row["domain"], []))[2].append(row["url"])
    return write_opml(companies.values())


def _sites(*urls: str | None) -> list[str]:
    found = []
    for url in urls:
        try:
            site = registrable_domain(urlsplit(url or "").hostname or "")
        except ValueError:
            site = None
        if site:
            found.append(site)
    return found


def _kind_elsewhere(url: str) -> str:
    """A feed on somebody else's host is read post by post, like a social network."""
    found = platform_sources([url])
    return found[0]["kind"] if found else "social"
