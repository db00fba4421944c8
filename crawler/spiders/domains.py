"""``crawl domains``: pings each account's domain and finds where the company publishes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import dns.exception
import dns.resolver
from scrapy import Request
from scrapy.http import Response
from scrapy.spidermiddlewares.httperror import HttpError
from twisted.python.failure import Failure as TwistedFailure

from crawler.resolver import DnsLookup
from crawler.robots import RobotsDisallowedError, RobotsUnreachableError
from crawler.spiders.base import SessionSpider
from storage.ids import content_key
from storage.records import DomainPing, Source
from storage.store import Row
from urls import same_site

RECORD_TYPES = ("A", "AAAA", "NS", "MX", "TXT")
MAX_TXT_RECORDS = 30
WELL_KNOWN_FEEDS = ("/feed", "/rss.xml", "/atom.xml")
CONVENTION = "convention"  # found_on of a source nobody links to: asked for because many sites have it


class DomainsSpider(SessionSpider):
    """One request per due account, with DNS beside it; https first, http when nothing answers there."""

    name = "domains"

    async def start(self) -> AsyncIterator[Request]:
        """Asks DNS first: a name that does not exist needs no connection."""
        pinged = dict(self._last_pings())
        stale = self.session.stale_before()
        due = [account for account in self.session.accounts() if pinged.get(account["account_id"], "") <= stale]
        self.session.plan(len(due))
        lookup = DnsLookup(self.session.config.nameservers)
        for account in due:
            records, error = await _dns_records(lookup, account["domain"])
            if error is not None or not (records["A"] or records["AAAA"]):
                self._ping(account, records, state="dead", error=error or "no address")
                self.session.fail("ping", account["domain"], account["account_id"], "dns", error or "no address")
                self.session.step()
                continue
            yield self._request("https", account, records)

    def _last_pings(self) -> list[tuple[str, str]]:
        rows = self.session.store.query("SELECT account_id, max(pinged_at) AS pinged_at FROM domain_pings GROUP BY 1")
        return [(row["account_id"], row["pinged_at"]) for row in rows]

    def _request(self, scheme: str, account: Row, records: dict[str, list[str]]) -> Request:
        return Request(
            f"{scheme}://{account['domain']}/",
            self.parse_home,
            errback=self.no_home,
            dont_filter=True,
            cb_kwargs={"account": account, "records": records, "scheme": scheme},
        )

    async def parse_home(self, response: Response, account: Row, records: dict[str, list[str]], scheme: str) -> Any:
        """A home page: what it says of itself, and which sources it links to."""
        account_id = account["account_id"]
        self.session.keep_page(response, account_id, "home")
        found = await self.session.parse("discover_sources", response, account_id) or {}
        moved = not same_site(response.url, account["domain"])
        state = "parked" if found.get("is_parked") else "moved" if moved else "live"
        self._ping(account, records, state=state, response=response, generator=found.get("generator"))
        if state == "moved":
            self.session.fail(
                "ping", account["domain"], account_id, "moved", f"redirects to {response.url}; import that domain to follow it"
            )
        if state == "live":
            await self._keep_sources(response, account, found.get("sources", []))
        self.session.step()

    async def no_home(self, failure: TwistedFailure) -> Any:
        """No page: over http then, or the reason."""
        request: Request = failure.request  # type: ignore[attr-defined]
        account, records = request.cb_kwargs["account"], request.cb_kwargs["records"]
        answered = isinstance(failure.value, HttpError | RobotsDisallowedError) and not isinstance(failure.value, RobotsUnreachableError)
        if request.cb_kwargs["scheme"] == "https" and not answered:
            yield self._request("http", account, records)
            return
        reason = self.session.fail_with("ping", request.url, account["account_id"], failure)
        state = "blocked_by_robots" if reason == "robots" else "error"
        response = failure.value.response if isinstance(failure.value, HttpError) else None
        self._ping(account, records, state=state, response=response, error=f"{reason}: {failure.value}"[:300])
        self.session.step()

    async def _keep_sources(self, response: Response, account: Row, sources: list[dict[str, str]]) -> None:
        rules = await self.crawler.robots.rules_for(response.url)  # type: ignore[attr-defined]
        found = [(source["kind"], source["url"], response.url) for source in sources]
        found += [("sitemap", url, "robots.txt") for url in rules.sitemaps[:5]]
        kinds = {kind for kind, _, _ in found}
        if "feed" not in kinds:
            found += [("feed", response.urljoin(path), CONVENTION) for path in WELL_KNOWN_FEEDS]
        if "sitemap" not in kinds:
            found.append(("sitemap", response.urljoin("/sitemap.xml"), CONVENTION))
        for kind, url, found_on in found:
            source_id = content_key("source", account["account_id"], url)
            known = self.session.store.value("SELECT 1 FROM sources WHERE source_id = ?", (source_id,))
            if not known and same_site(url, account["domain"]):
                self.session.counts["sources"] += 1
                now = self.session.config.now()
                self.session.keep(Source(source_id, account["account_id"], kind, url, found_on, now, None, None, None))

    def _ping(
        self,
        account: Row,
        records: dict[str, list[str]],
        state: str,
        response: Response | None = None,
        generator: str | None = None,
        error: str | None = None,
    ) -> None:
        now = self.session.config.now()
        issuer, expires_on = _certificate(response)
        latency = response.meta.get("download_latency") if response else None
        server = response.headers.get("Server") if response else None
        self.session.counts[state] += 1
        self.session.keep(
            DomainPing(
                ping_id=content_key("ping", account["account_id"], now[:10]),
                account_id=account["account_id"],
                domain=account["domain"],
                pinged_at=now,
                state=state,
                http_status=response.status if response else None,
                final_url=response.url if response else None,
                n_redirects=response.meta.get("redirect_times", 0) if response else None,
                latency_ms=round(latency * 1000, 1) if latency is not None else None,
                tls_issuer=issuer,
                tls_expires_on=expires_on,
                addresses=_json([*records["A"], *records["AAAA"]]),
                nameservers=_json(records["NS"]),
                mail_exchangers=_json(records["MX"]),
                txt_records=_json(records["TXT"][:MAX_TXT_RECORDS]),
                server=server.decode("latin-1")[:200] if server else None,
                generator=generator[:200] if generator else None,
                error=error,
            )
        )


async def _dns_records(lookup: DnsLookup, domain: str) -> tuple[dict[str, list[str]], str | None]:
    """What DNS says of a domain, and why it says nothing."""
    records: dict[str, list[str]] = {kind: [] for kind in RECORD_TYPES}
    for kind in RECORD_TYPES:
        try:
            records[kind] = await lookup.records(domain, kind)
        except dns.resolver.NXDOMAIN:
            return records, "no such name (NXDOMAIN)"
        except dns.exception.DNSException as error:
            if kind == "A":
                return records, f"{type(error).__name__}: {error}"[:200]
    return records, None


def _certificate(response: Response | None) -> tuple[str | None, str | None]:
    """Issuer and last day of the certificate of a TLS connection."""
    if response is None or response.certificate is None:
        return None, None
    certificate = response.certificate.original.to_cryptography()
    expires: datetime = certificate.not_valid_after_utc
    return certificate.issuer.rfc4514_string()[:200], expires.date().isoformat()


def _json(values: list[str]) -> str | None:
    return json.dumps(values, ensure_ascii=False) if values else None
