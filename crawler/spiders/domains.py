"""``crawl domains``: pings each account's domain and finds where the company publishes."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import dns.exception
import dns.resolver
from cryptography import x509
from scrapy import Request
from scrapy.http import Response
from scrapy.http.request import NO_CALLBACK
from scrapy.spidermiddlewares.httperror import HttpError
from twisted.python.failure import Failure as TwistedFailure

from crawler.downloader import CrawlEndsError
from crawler.profile import Look, is_first_look, load_running, observe, profile_text
from crawler.reservations import parse_tdmrep
from crawler.resolver import DnsLookup
from crawler.robots import RobotsDisallowedError, RobotsUnreachableError
from crawler.spiders.base import SessionSpider
from storage.clock import utc_text
from storage.ids import content_key
from storage.records import DomainPing, SitePolicy, Source, TechnologyObservation
from storage.store import Row
from urls import same_site

# What is asked of DNS: kind → (name before the domain, record type). CNAMEs of well-known names tell who runs mail, calls and devices.
QUESTIONS = {
    "A": ("", "A"),
    "AAAA": ("", "AAAA"),
    "NS": ("", "NS"),
    "MX": ("", "MX"),
    "TXT": ("", "TXT"),
    "CAA": ("", "CAA"),
    "DMARC": ("_dmarc.", "TXT"),
}
ALIASES = ("autodiscover", "enterpriseregistration", "enterpriseenrollment", "lyncdiscover", "sip")
MAX_TXT_RECORDS = 30
MAX_AI_TXT = 2000
POLICY_GOOD_FOR_DAYS = 7
DnsRecords = dict[str, list[str]]
WELL_KNOWN_FEEDS = ("/feed", "/rss.xml", "/atom.xml")
PLATFORM_KINDS = ("jobs", "social", "forums")  # these lie elsewhere, on hosts that crawler.platforms names
CONVENTION = "convention"  # found_on of a source nobody links to: asked for because many sites have it


class DomainsSpider(SessionSpider):
    """One request per due account, with DNS beside it; https first, http when nothing answers there."""

    name = "domains"
    custom_settings = {"METAREFRESH_ENABLED": True}  # noqa: RUF012 (Scrapy's name and kind)

    async def start(self) -> AsyncIterator[Request]:
        """Asks DNS first: a name that does not exist needs no connection."""
        pinged = dict(self._last_pings())
        stale = self.session.config.stale_before()
        due = [account for account in self.session.accounts() if pinged.get(account["account_id"], "") <= stale]
        self.session.plan(len(due))
        lookup = DnsLookup(self.session.config.nameservers)
        async for account, records, error in _looked_up(lookup, due, self.session.config.n_concurrent):
            if error is not None or not (records["A"] or records.get("AAAA")):
                self._ping(account, records, state="dead", error=error or "no address")
                self.session.fail("ping", account["domain"], account["account_id"], "dns", error or "no address")
                self.session.step()
                continue
            self.session.set_out(account["account_id"])
            yield self._request("https", account, records)

    def _last_pings(self) -> list[tuple[str, str]]:
        rows = self.session.store.query("SELECT account_id, max(pinged_at) AS pinged_at FROM domain_pings GROUP BY 1")
        return [(row["account_id"], row["pinged_at"]) for row in rows]

    def _request(self, scheme: str, account: Row, records: DnsRecords) -> Request:
        return Request(
            f"{scheme}://{account['domain']}/",
            self.parse_home,
            errback=self.no_home,
            dont_filter=True,
            cb_kwargs={"account": account, "records": records, "scheme": scheme},
        )

    async def parse_home(self, response: Response, account: Row, records: DnsRecords, scheme: str) -> Any:
        """A home page: what it says of itself, and which sources it links to."""
        account_id = account["account_id"]
        await self._read_policy(response, account_id)
        self.session.keep_page(response, account_id, "home")
        found = await self.session.parse("discover_sources", response, account_id) or {}
        moved = not same_site(response.url, account["domain"])
        state = "parked" if found.get("is_parked") else "moved" if moved else "live"
        profile = await self._profile(response, account, records) if state == "live" else []
        self._ping(account, records, state=state, response=response, generator=found.get("generator"), profile=profile)
        if state == "moved":
            self.session.fail(
                "ping", account["domain"], account_id, "moved", f"redirects to {response.url}; import that domain to follow it"
            )
        if state == "live":
            await self._keep_sources(response, account, found.get("sources", []))
        self.session.step(account_id)

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
        self.session.step(account["account_id"])

    async def _read_policy(self, response: Response, account_id: str) -> None:
        """What the site reserves, read once a week."""
        session = self.session
        week_ago = utc_text(datetime.fromisoformat(session.config.now()) - timedelta(days=POLICY_GOOD_FOR_DAYS))
        if session.store.value("SELECT 1 FROM site_policies WHERE account_id = ? AND read_at > ?", (account_id, week_ago)):
            return
        tdmrep, ai_txt = (
            await self._optional(response.urljoin("/.well-known/tdmrep.json")),
            await self._optional(response.urljoin("/ai.txt")),
        )
        rules = parse_tdmrep(tdmrep.body) if tdmrep else []
        is_text = ai_txt is not None and (ai_txt.headers.get("Content-Type") or b"").startswith(b"text/plain")
        session.learn_tdm_rules(account_id, rules)
        note = ai_txt.body[:MAX_AI_TXT].decode("utf-8", "replace") if ai_txt is not None and is_text else None
        session.keep(SitePolicy(account_id, json.dumps(rules), note, session.config.now()))

    async def _optional(self, url: str) -> Response | None:
        """A file that few sites have, and whose absence is no failure."""
        assert self.crawler.engine is not None
        try:
            response = await self.crawler.engine.download_async(Request(url, callback=NO_CALLBACK, dont_filter=True))
        except CrawlEndsError:
            raise
        except Exception:  # not there, not allowed, not reachable: it says nothing
            return None
        return response if response.status == 200 else None

    async def _profile(self, response: Response, account: Row, records: DnsRecords) -> list[TechnologyObservation]:
        """The technologies of a live site: its profile is archived, its observations are returned."""
        session, config = self.session, self.session.config
        shown = _shown(response, records)
        options = {"shown": shown, "folders": [str(folder) for folder in config.fingerprints], "on": config.now()[:10]}
        detections = await session.parse("crawler.technology:detect_technologies", response, account["account_id"], **options)
        if detections is None:
            return []
        unanswered = frozenset(kind for kind in (*QUESTIONS, "CNAME") if kind not in records)
        look = Look(account["account_id"], account["domain"], config.now()[:10], detections, unanswered)
        running, is_first = load_running(session.store, look.account_id), is_first_look(session.store, look.account_id)
        url = f"{response.urljoin('/')}#technology"
        text = profile_text(look, running)
        page_id = session.keep_note(url, text, "text/plain; charset=utf-8", look.account_id, account["domain"], "profile")
        session.counts["technologies"] += len(detections)
        return observe(look, running, page_id, is_first)

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
            if not known and (same_site(url, account["domain"]) or kind in PLATFORM_KINDS):
                self.session.counts["sources"] += 1
                now = self.session.config.now()
                self.session.keep(Source(source_id, account["account_id"], kind, url, found_on, now, None, None, None))

    def _ping(
        self,
        account: Row,
        records: DnsRecords,
        state: str,
        response: Response | None = None,
        generator: str | None = None,
        error: str | None = None,
        profile: Sequence[TechnologyObservation] = (),
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
                addresses=_json([*records["A"], *records.get("AAAA", [])]),
                nameservers=_json(records.get("NS", [])),
                mail_exchangers=_json(records.get("MX", [])),
                txt_records=_json(records.get("TXT", [])[:MAX_TXT_RECORDS]),
                server=server.decode("latin-1")[:200] if server else None,
                generator=generator[:200] if generator else None,
                error=error,
            ),
            *profile,
        )


async def _looked_up(lookup: DnsLookup, accounts: list[Row], n_ahead: int) -> AsyncIterator[tuple[Row, DnsRecords, str | None]]:
    """What DNS says of each account, in their order, with some asked ahead of the one that is awaited."""
    asked: deque[tuple[Row, asyncio.Task[tuple[DnsRecords, str | None]]]] = deque()
    for account in accounts:
        asked.append((account, asyncio.ensure_future(_dns_records(lookup, account["domain"]))))
        if len(asked) > n_ahead:
            first, task = asked.popleft()
            yield first, *await task
    for first, task in asked:
        yield first, *await task


async def _dns_records(lookup: DnsLookup, domain: str) -> tuple[DnsRecords, str | None]:
    """What DNS says of a domain, and why it says nothing. A kind that got no answer is missing from the records."""
    records: DnsRecords = {"A": [], "AAAA": []}
    try:
        records["A"] = await lookup.records(domain, "A")
    except dns.resolver.NXDOMAIN:
        return records, "no such name (NXDOMAIN)"
    except (dns.exception.DNSException, OSError) as error:
        return records, f"{type(error).__name__}: {error}"[:200]
    kinds = [kind for kind in QUESTIONS if kind != "A"]
    answers = await asyncio.gather(
        *(_answer(lookup, f"{QUESTIONS[kind][0]}{domain}", QUESTIONS[kind][1]) for kind in kinds),
        *(_answer(lookup, f"{name}.{domain}", "CNAME") for name in ALIASES),
    )
    for kind, answer in zip(kinds, answers, strict=False):
        if answer is not None:
            records[kind] = answer
    aliases = answers[len(kinds) :]
    if None not in aliases:
        records["CNAME"] = [f"{name} {target}" for name, targets in zip(ALIASES, aliases, strict=True) for target in targets or ()]
    return records, None


async def _answer(lookup: DnsLookup, name: str, record_type: str) -> list[str] | None:
    """The records; none for a name that does not exist; None when nobody answered."""
    try:
        return await lookup.records(name, record_type)
    except dns.resolver.NXDOMAIN:
        return []
    except (dns.exception.DNSException, OSError):
        return None


def _shown(response: Response, records: DnsRecords) -> dict[str, list[list[str]]]:
    """Everything but the page that fingerprints look at: source → pairs of name and value."""
    headers = [[name.decode("latin-1"), value.decode("latin-1")[:500]] for name, values in response.headers.items() for value in values]
    issuer, _ = _certificate(response)
    cookies = [value.partition("=")[::2] for name, value in headers if name.lower() == "set-cookie"]
    shown = {kind: [["", value[:500]] for value in values] for kind, values in records.items()}
    return {
        **shown,
        "header": [pair for pair in headers if pair[0].lower() != "set-cookie"],
        "cookie": [[name.strip(), value[:100]] for name, value in cookies],
        "certIssuer": [["", issuer]] if issuer else [],
    }


def _certificate(response: Response | None) -> tuple[str | None, str | None]:
    """Issuer and last day of the certificate of a TLS connection."""
    if response is None or response.certificate is None:
        return None, None
    certificate = x509.load_der_x509_certificate(response.certificate)
    expires: datetime = certificate.not_valid_after_utc
    return certificate.issuer.rfc4514_string()[:200], expires.date().isoformat()


def _json(values: list[str]) -> str | None:
    return json.dumps(values, ensure_ascii=False) if values else None
