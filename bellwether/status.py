"""What is crawled, stale, failing and due."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from bellwether.config import Config
from storage.clock import utc_text
from storage.store import Store


def read_status(store: Store, config: Config, now: str) -> dict[str, Any]:
    """Counts and dates that tell an operator what to do next; times are compared with ``now``."""
    moment = datetime.fromisoformat((config.crawl.frozen_clock or now).replace("Z", "+00:00"))
    stale = utc_text(moment - timedelta(hours=config.crawl.revisit_hours))

    def count(sql: str, *values: str) -> int:
        return int(store.value(sql, values) or 0)

    return {
        "store": str(store.path),
        "book": {
            name: count(f"SELECT count(*) FROM {name}")  # noqa: S608 - constant names
            for name in ("accounts", "partners", "subscriptions", "transactions", "opportunities")
        },
        "crawl": {
            "accounts_pinged": count("SELECT count(DISTINCT account_id) FROM domain_pings"),
            "accounts_due": count(
                "SELECT count(*) FROM accounts a WHERE NOT EXISTS (SELECT 1 FROM domain_pings p WHERE p.account_id = a.account_id AND p.pinged_at > ?)",
                stale,
            ),
            "sources": count("SELECT count(*) FROM sources"),
            "pages": count("SELECT count(*) FROM pages"),
            "last_fetch": store.value("SELECT max(fetched_at) FROM pages"),
            "states": {
                row["state"]: row["n"] for row in store.query("SELECT state, count(*) AS n FROM domain_pings GROUP BY 1 ORDER BY 2 DESC, 1")
            },
        },
        "extract": {
            "documents": count("SELECT count(*) FROM documents"),
            "pages_due": count(
                "SELECT count(*) FROM pages p WHERE kind NOT IN ('feed', 'sitemap') AND NOT EXISTS (SELECT 1 FROM documents d WHERE d.page_id = p.page_id) "
                "AND NOT EXISTS (SELECT 1 FROM failures f WHERE f.subject = p.page_id AND f.stage = 'extract')"
            ),
            "events": count("SELECT count(*) FROM signal_events"),
            "happenings": count("SELECT count(*) FROM signal_events WHERE duplicate_of IS NULL"),
        },
        "failures": {
            f"{row['stage']} {row['reason']}": row["n"]
            for row in store.query("SELECT stage, reason, count(*) AS n FROM failures GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2")
        },
        "score": {
            "last_run_as_of": store.value("SELECT max(as_of) FROM scoring_runs"),
            "runs": count("SELECT count(*) FROM scoring_runs"),
        },
    }
