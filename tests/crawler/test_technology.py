"""The technology profile: what rules see, what becomes of it over time, and the events that follow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from crawler.technology import detect_technologies, load_fingerprints
from sandbox import Sandbox
from signals.technology_events import extract_technology_events
from storage.archive import read_response
from storage.store import open_writer
from tests.crawler.conftest import Crawl
from tests.crawler.loopback import HTML, Answer, Web

ON = "2026-11-01"
MICROSOFT_MAIL = {"MX": ["0 shop-test.mail.protection.outlook.com."], "TXT": ['"v=spf1 include:spf.protection.outlook.com -all"']}


def _detect(html: str = "<html></html>", folders: tuple[str, ...] = (), **shown: list[list[str]]) -> dict[str, dict[str, Any]]:
    found = detect_technologies(html.encode(), "https://a.test/", shown, list(folders), ON)
    return {one["technology"]: one for one in found}


def test_there_are_250_rules_and_more_and_every_one_can_be_read() -> None:
    known = load_fingerprints()
    assert len(known.technologies) >= 250
    assert known.n_unreadable == 0
    for technology in known.technologies.values():
        assert technology.patterns, f"{technology.name} looks at nothing"
        assert technology.category != "Other", technology.name
        assert set(technology.implies) <= set(known.technologies), technology.name


def test_an_empty_page_shows_nothing() -> None:
    assert _detect() == {}


@pytest.mark.parametrize(
    ("name", "html", "shown"),
    [
        ("Microsoft 365", "", {"MX": [["", "0 a-test.mail.protection.outlook.com."]]}),
        ("Google Workspace", "", {"MX": [["", "1 aspmx.l.google.com."]]}),
        ("Microsoft Entra ID", "", {"CNAME": [["", "enterpriseregistration enterpriseregistration.windows.net."]]}),
        ("Mimecast", "", {"MX": [["", "10 eu-smtp-inbound-1.mimecast.com."]]}),
        ("Amazon Route 53", "", {"NS": [["", "ns-12.awsdns-01.com."]]}),
        ("Amazon Web Services", "", {"NS": [["", "ns-12.awsdns-01.com."]]}),
        ("Let's Encrypt", "", {"certIssuer": [["", "CN=R11,O=Let's Encrypt,C=US"]]}),
        ("Cloudflare", "", {"header": [["CF-RAY", "8f0"]]}),
        ("Shopify", '<script src="https://cdn.shopify.com/s/x.js"></script>', {}),
        ("WordPress", '<meta name="generator" content="WordPress 6.6">', {}),
        ("PHP", '<meta name="generator" content="WordPress 6.6">', {}),
        ("HubSpot", '<script src="//js-eu1.hs-scripts.com/1.js"></script>', {}),
        ("Salesforce Pardot", "", {"cookie": [["visitor_id12345", "1"]]}),
        ("Google Tag Manager", '<script src="https://www.googletagmanager.com/gtm.js?id=GTM-1"></script>', {}),
        ("Outlook Web App", '<a href="https://mail.a.test/owa/">Webmail</a>', {}),
        ("Remote Desktop Web Access", '<a href="https://remote.a.test/RDWeb/Pages/en-US/login.aspx">Remote</a>', {}),
        ("Greenhouse", '<a href="https://boards.greenhouse.io/acme">Jobs</a>', {}),
        ("Classic ASP", "", {"cookie": [["ASPSESSIONIDQQRR", "x"]]}),
        ("Zendesk", '<script src="https://static.zdassets.com/ekr/snippet.js"></script>', {}),
        ("DocuSign", "", {"TXT": [["", '"docusign=12ab"']]}),
        ("DMARC", "", {"DMARC": [["", '"v=DMARC1; p=reject"']]}),
        ("Oracle NetSuite", "", {"TXT": [["", '"v=spf1 include:mailsenders.netsuite.com ~all"']]}),
    ],
)
def test_a_technology_is_seen_where_it_shows(name: str, html: str, shown: dict[str, list[list[str]]]) -> None:
    assert name in _detect(f"<html><head>{html}</head></html>", **shown)


@pytest.mark.parametrize(
    ("server", "legacy"),
    [
        ("Microsoft-IIS/8.5", "Microsoft IIS 8.5 has been out of support since 2023-10-10"),
        ("Microsoft-IIS/10.0", None),
        ("nginx/1.18.0", "nginx 1.18.0 has been out of support since 2021-04-20"),
        ("nginx", None),
        ("Apache/2.4.62", None),
        ("Apache/1.3.41", "Apache HTTP Server 1.3.41 has been out of support since 2018-01-01"),
    ],
)
def test_server_software_out_of_support_is_told_by_its_version(server: str, legacy: str | None) -> None:
    (found,) = _detect(header=[["Server", server]]).values()
    assert found["legacy"] == legacy


def test_an_own_exchange_server_is_told_apart_from_the_cloud() -> None:
    assert _detect('<a href="https://outlook.office365.com/owa/">Mail</a>') == {}
    exchange = _detect(header=[["X-OWA-Version", "15.1.2507.39"]])["Exchange Server"]
    assert exchange["legacy"] == "Exchange Server 15.1.2507.39 has been out of support since 2025-10-14"
    assert _detect(header=[["X-OWA-Version", "15.2.2562.17"]])["Exchange Server"]["legacy"] == "an Exchange server of their own"


def test_an_operators_fingerprints_stand_beside_ours_and_what_python_cannot_read_is_counted(tmp_path: Path) -> None:
    rule = {"cats": [7], "html": ["fizz-(\\d+)\\;version:\\1\\;confidence:50", "(?<broken"], "implies": "PHP\\;confidence:50"}
    (tmp_path / "technologies").mkdir()
    (tmp_path / "technologies" / "f.json").write_text(json.dumps({"Fizz": rule}))
    (tmp_path / "categories.json").write_text('{"7": {"name": "Sparkling", "priority": 1}}')
    found = _detect("<html><body>fizz-12</body></html>", folders=(str(tmp_path),))
    assert (found["Fizz"]["category"], found["Fizz"]["version"], found["Fizz"]["legacy"]) == ("Sparkling", "12", None)
    assert "PHP" in found
    assert load_fingerprints((str(tmp_path),)).n_unreadable == 1


class _Shop:
    """A site whose technologies change between looks."""

    def __init__(self) -> None:
        self.html = '<script src="https://cdn.shopify.com/s/x.js"></script>'
        self.dns: dict[str, list[str]] = dict(MICROSOFT_MAIL)

    def answer(self, host: str, path: str, headers: Mapping[str, str]) -> Answer:
        if path != "/":
            return Answer(404)
        body = f"<html><head><title>Shop</title>{self.html}</head></html>".encode()
        return Answer(200, {**HTML, "Server": "Microsoft-IIS/8.5"}, body)

    def records(self, name: str, kind: str) -> list[str] | None:
        if name != "shop.test":
            return None
        return ["127.0.0.1"] if kind == "A" else self.dns.get(kind, [])


@pytest.fixture
def shop(crawl: Crawl) -> _Shop:
    made = _Shop()
    crawl.serve(Web(made.answer), made.records)
    crawl.add_accounts("shop.test")
    return made


def _look(crawl: Crawl, day: int) -> dict[str, dict[str, Any]]:
    crawl.configure(now=f"2026-11-{day:02}T06:00:00Z")
    crawl.run("crawl", "domains")
    return {row["technology"]: row for row in crawl.rows("SELECT * FROM technology_observations")}


def _events(crawl: Crawl, *rivals: str) -> dict[tuple[str, str], str]:
    with open_writer(crawl.db, "test") as store, Sandbox(1) as sandbox:
        extract_technology_events(store, crawl.folder / "archive", sandbox, frozenset(rivals), "2026-11-09T00:00:00Z")
    return {
        (row["event_type"], row["subtype"]): row["occurred_on"]
        for row in crawl.rows("SELECT event_type, subtype, occurred_on FROM signal_events")
    }


def test_what_comes_and_goes_becomes_events_whose_quote_stands_in_the_archived_profile(crawl: Crawl, shop: _Shop) -> None:
    first = _look(crawl, 1)
    assert {"Shopify", "Microsoft 365", "Microsoft IIS"} <= set(first)
    assert _events(crawl, "Shopify") == {
        ("competitor_tech_observed", "Shopify"): "2026-11-01",
        ("legacy_eos_exposure", "Microsoft IIS"): "2026-11-01",
    }
    shop.html = '<script src="https://js.hs-scripts.com/1.js"></script>'
    assert _look(crawl, 2)["Shopify"]["n_misses"] == 1
    assert ("tech_adopted", "HubSpot") in _events(crawl)
    assert not [key for key in _events(crawl) if key[0] == "tech_retired"], "one miss is none"
    gone = _look(crawl, 3)["Shopify"]
    assert (gone["retired_on"], gone["last_seen_on"]) == ("2026-11-03", "2026-11-01")
    events = _events(crawl)
    assert events["tech_retired", "Shopify"] == "2026-11-03"
    assert events["tech_adopted", "HubSpot"] == "2026-11-02"
    assert len(events) == 4
    for row in crawl.rows(
        "SELECT e.quote, e.quote_start, e.quote_end, d.text, p.url, p.warc_file, p.warc_offset FROM signal_events e "
        "JOIN documents d USING (document_id) JOIN pages p USING (page_id)"
    ):
        archived = read_response(crawl.folder / "archive" / row["warc_file"], row["warc_offset"])
        assert archived.url == row["url"]
        assert archived.body.decode()[row["quote_start"] : row["quote_end"]] == row["quote"]


def test_one_look_at_a_site_half_asleep_retires_nothing(crawl: Crawl, shop: _Shop) -> None:
    _look(crawl, 1)
    html, shop.html = shop.html, ""
    _look(crawl, 2)
    shop.html = html
    assert _look(crawl, 3)["Shopify"]["n_misses"] == 0
    assert not [key for key in _events(crawl) if key[0].startswith("tech_")]


def test_a_profile_that_did_not_change_is_archived_once(crawl: Crawl, shop: _Shop) -> None:
    for day in (1, 2, 3):
        _look(crawl, day)
    assert len(crawl.rows("SELECT 1 FROM pages WHERE kind = 'profile'")) == 1
    assert {row["last_seen_on"] for row in crawl.rows("SELECT last_seen_on FROM technology_observations")} == {"2026-11-03"}


def test_a_name_server_that_does_not_answer_retires_no_mail_system(crawl: Crawl, shop: _Shop) -> None:
    _look(crawl, 1)
    answer = crawl.names.answer
    crawl.names.answer = lambda data: b"" if b"\x00\x0f\x00\x01" in data or b"\x00\x10\x00\x01" in data else answer(data)  # type: ignore[method-assign]
    assert _look(crawl, 2)["Microsoft 365"]["n_misses"] == 0
    assert _look(crawl, 3)["Microsoft 365"]["retired_on"] is None


def test_a_rule_that_takes_for_ever_costs_one_recorded_failure(crawl: Crawl, shop: _Shop, tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "slow.json").write_text(json.dumps({"Slow": {"cats": [1], "html": ["(?=a)(a+)+$"]}}))
    shop.html = "a" * 60 + "!"
    crawl.run("crawl", "domains", "--fingerprints", str(rules))
    assert crawl.reasons()["http://shop.test/"] == "parse_timeout"
    assert [row["state"] for row in crawl.rows("SELECT state FROM domain_pings")] == ["live"]


def test_a_page_is_searched_once_for_all_patterns_with_the_same_result_as_one_by_one() -> None:
    known = load_fingerprints()
    page = (
        '<LINK href="/wp-content/themes/x.css"> <script src="https://cdn.shopify.com/s/a.js"></script> href="/owa/auth/logon.aspx"'
        + " filler" * 500
    )
    html = [pattern for technology in known.technologies.values() for pattern in technology.patterns if pattern.source == "html"]
    there = {pattern for pattern in html if pattern.regex.search(page)}
    assert there
    assert {pattern for pattern in known.html.possible(page) if pattern.regex.search(page)} == there
    assert len(known.html.possible(page)) < len(html) / 10
