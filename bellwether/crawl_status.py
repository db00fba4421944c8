"""How the crawl stands, kind by kind: what is due and when, and what the last run of each kind brought; and whether a run was healthy."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from storage.clock import utc_text
from storage.store import Store

KINDS = ("domains", "feeds", "articles", "jobs", "social", "forums")
SOURCE_KINDS = {
    "feeds": ("feed", "sitemap", "newsroom", "blog", "careers"),
    "jobs": ("jobs",),
    "social": ("social",),
    "forums": ("forums",),
}
# What a site decided or a name that is gone: known now, and nothing that went wrong on our side.
SETTLED = frozenset(
    "robots noindex noarchive tdm_reserved url_refused address_denied left_site moved site_rests budget_spent dns".split(),
)
LEAST_ASKED = 20  # fewer tell nothing of the health of a crawl


def read_kinds(store: Store, now: str, revisit_hours: float) -> dict[str, dict[str, Any]]:
    """Per kind what is due now, when the next is, and of its last run: fetched, unchanged, failed by reason, blocked by robots.txt.

    Args:
        now: what is due is due by this time.
    """
    last = _last_counts(store)
    found = {}
    for kind in KINDS:
        n_due, next_due = _due(store, kind, now, revisit_hours)
        failed = dict(_failures(last.get(kind, {})))
        found[kind] = {
            "due": n_due,
            "next_due": "now" if n_due else next_due,
            "fetched": last.get(kind, {}).get("pages", 0),
            "unchanged": last.get(kind, {}).get("unchanged", 0),
            "blocked_by_robots": failed.pop("robots", 0),
            "failed": failed,
        }
    return found


def why_unhealthy(counts: Mapping[str, Mapping[str, int]], max_failed_share: float) -> list[str]:
    """What is wrong with a run by its counts per kind; nothing when it is well.

    >>> why_unhealthy({"feeds": {"pages": 30, "failed_timeout": 50, "failed_robots": 9}}, 0.5)
    ['feeds: 50 of 89 requests failed (timeout 50)']
    >>> why_unhealthy({"domains": {"failed_dns": 40}}, 0.5)
    ['domains: none of 40 requests was answered; is the network there?']
    """
    problems = []
    for kind, figures in counts.items():
        failures = dict(_failures(figures))
        n_answered = figures.get("pages", 0) + figures.get("not_modified", 0)
        n_asked = n_answered + sum(failures.values())
        wrong = {reason: n for reason, n in failures.items() if reason not in SETTLED}
        if n_asked < LEAST_ASKED:
            continue
        if not n_answered and not failures.get("robots"):
            problems.append(f"{kind}: none of {n_asked} requests was answered; is the network there?")
        elif sum(wrong.values()) > max_failed_share * n_asked:
            told = ", ".join(f"{reason} {n}" for reason, n in sorted(wrong.items(), key=lambda one: (-one[1], one[0])))
            problems.append(f"{kind}: {sum(wrong.values())} of {n_asked} requests failed ({told})")
    return problems


def _failures(figures: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    return ((name.removeprefix("failed_"), n) for name, n in figures.items() if name.startswith("failed_"))


def _last_counts(store: Store) -> dict[str, dict[str, int]]:
    """Kind → what its latest run counted."""
    found: dict[str, dict[str, int]] = {}
    for row in store.query("SELECT figures FROM job_runs WHERE job = 'crawl' ORDER BY started_at DESC, rowid DESC LIMIT 50"):
        counts = json.loads(row["figures"]).get("counts") or {}
        for kind, figures in counts.items():
            if isinstance(figures, dict):
                found.setdefault(kind, figures)
    return found


def _due(store: Store, kind: str, now: str, revisit_hours: float) -> tuple[int, str | None]:
    """How many are due, and when the first of the others is."""
    values = {"now": now, "hours": revisit_hours, "kinds": json.dumps(SOURCE_KINDS.get(kind, ()))}
    sql = _DUE_OF["sources" if kind in SOURCE_KINDS else kind]
    (row,) = store.query(
        f"WITH waiting AS ({sql}) SELECT sum(due_day IS NULL OR due_day <= julianday(:now)) AS n_due,"  # noqa: S608 - constants
        " (SELECT min(due_day) FROM waiting WHERE due_day > julianday(:now)) AS next_day FROM waiting",
        values,
    )
    next_due = utc_text(_EPOCH + timedelta(days=row["next_day"] - _EPOCH_DAY)) if row["next_day"] is not None else None
    return int(row["n_due"] or 0), next_due


_EPOCH, _EPOCH_DAY = datetime.fromisoformat("1970-01-01T00:00:00+00:00"), 2440587.5
_DUE_OF = {
    "domains": """
        SELECT julianday(max(p.pinged_at)) + :hours / 24.0 AS due_day FROM accounts a LEFT JOIN domain_pings p USING (account_id)
        WHERE a.domain NOT IN (SELECT domain FROM blocked_domains) AND :kinds != '' GROUP BY a.account_id
    """,
    "sources": """
        SELECT julianday(checked_at) + coalesce(revisit_hours, :hours) / 24.0 AS due_day FROM sources
        WHERE kind IN (SELECT value FROM json_each(:kinds))
    """,
    "articles": "SELECT julianday(tried_at) + :hours / 24.0 AS due_day FROM frontier_urls WHERE state = 'due' AND :kinds != ''",
}
