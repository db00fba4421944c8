"""A ping writes down what DNS, TLS and the home page say; the servers are real, with a certificate of their own authority."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from tests.crawler.conftest import Crawl
from tests.crawler.loopback import Answer, Web, page, text

RECORDS = {
    "A": ["127.0.0.1"],
    "NS": ["ns1.hosting.test."],
    "MX": ["10 mail.site.test."],
    "TXT": ['"v=spf1 mx -all"'],
}


def _answering(host: str, path: str, headers: Mapping[str, str]) -> Answer:
    if path == "/robots.txt":
        return text("")
    if path == "/":
        return Answer(301, {"Location": "https://www.site.test/en/"})
    if path == "/en/" and host == "www.site.test":
        return page("<html><head><meta name=generator content='Pelican'></head><body>Machines</body></html>", Server="nginx/1.24.0")
    return Answer(404)


def test_a_ping_tells_certificate_redirects_addresses_and_records(crawl: Crawl) -> None:
    crawl.serve(Web(_answering), lambda name, kind: RECORDS.get(kind, []) if name.endswith("site.test") else None, https=True)
    crawl.add_accounts("site.test", "gone.test")
    crawl.run("crawl", "domains")
    pings = {row["domain"]: row for row in crawl.rows("SELECT * FROM domain_pings")}
    ping = pings["site.test"]
    assert (ping["state"], ping["http_status"], ping["final_url"], ping["n_redirects"]) == ("live", 200, "https://www.site.test/en/", 1)
    assert ping["tls_issuer"] == "CN=Loopback Test CA"
    left = datetime.fromisoformat(ping["tls_expires_on"]).replace(tzinfo=UTC) - datetime.now(UTC)
    assert timedelta(days=360) < left < timedelta(days=366)
    assert json.loads(ping["addresses"]) == ["127.0.0.1"]
    assert json.loads(ping["nameservers"]) == ["ns1.hosting.test."]
    assert "mail.site.test" in json.loads(ping["mail_exchangers"])[0]
    assert "v=spf1 mx -all" in json.loads(ping["txt_records"])[0]
    assert (ping["server"], ping["generator"]) == ("nginx/1.24.0", "Pelican")
    assert ping["latency_ms"] > 0
    assert (pings["gone.test"]["state"], pings["gone.test"]["tls_issuer"]) == ("dead", None)
