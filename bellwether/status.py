"""What is crawled, stale, failing and due; what jobs ran, what is kept and for how long."""

from __future__ import annotations

import dataclasses
import json
import shutil
from datetime import datetime, timedelta
from typing import Any

from bellwether.config import Config
from bellwether.crawl_status import read_kinds
from storage.clock import utc_text
from storage.retention import count_overdue, cutoffs
from storage.store import Row, Store, is_alive, lock_holder

SHIFTED = 0.25  # population stability index from which a feature counts as shifted
COVERED = 0.1  # change of the share of accounts of which a feature is known


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
            "kinds": read_kinds(store, utc_text(moment), config.crawl.revisit_hours),
            "states": {
                row["state"]: row["n"] for row in store.query("SELECT state, count(*) AS n FROM domain_pings GROUP BY 1 ORDER BY 2 DESC, 1")
            },
        },
        "extract": {
            "documents": count("SELECT count(*) FROM documents"),
            "pages_due": count(
                "SELECT count(*) FROM pages p WHERE kind NOT IN ('feed', 'sitemap', 'posts', 'forum') AND warc_file != '' "
                "AND NOT EXISTS (SELECT 1 FROM documents d WHERE d.page_id = p.page_id) "
                "AND NOT EXISTS (SELECT 1 FROM failures f WHERE f.subject = p.page_id AND f.stage = 'extract')"
            ),
            "events": count("SELECT count(*) FROM signal_events"),
            "happenings": count("SELECT count(*) FROM signal_events WHERE duplicate_of IS NULL"),
        },
        "failures": {
            f"{row['stage']} {row['reason']}": row["n"]
            for row in store.query("SELECT stage, reason, count(*) AS n FROM failures GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2")
        },
        "models": {
            f"{row['kind']} {row['product']}": row["state"]
            for row in store.query(
                """
                SELECT r.kind, r.product, coalesce(m.verdict || ', trained as of ' || m.trained_as_of
                    || iif(m.verdict = 'not_ready', ', used unproven', ''), r.reason) AS state
                FROM model_releases r LEFT JOIN model_versions m USING (model_id)
                WHERE NOT EXISTS (SELECT 1 FROM model_releases n WHERE n.kind = r.kind AND n.product = r.product
                                  AND (n.released_on, n.sequence) > (r.released_on, r.sequence))
                ORDER BY r.kind, r.product
                """
            )
        },
        "drift": _read_drift(store),
        "score": {
            "last_run_as_of": store.value("SELECT max(as_of) FROM scoring_runs"),
            "runs": count("SELECT count(*) FROM scoring_runs"),
        },
        "jobs": _read_jobs(store),
        "writer": lock_holder(store.path),
        "disk": _read_disk(store, config),
        "retention": _read_retention(store, config, now),
    }


def _read_jobs(store: Store) -> dict[str, Any]:
    """The last run of every job, and when it last ended well."""
    rows = store.query(
        """
        SELECT *, (SELECT max(ended_at) FROM job_runs d WHERE d.job = j.job AND d.state = 'done') AS last_done_at FROM job_runs j
        WHERE NOT EXISTS (SELECT 1 FROM job_runs n WHERE n.job = j.job AND (n.started_at, n.rowid) > (j.started_at, j.rowid)) ORDER BY job
        """
    )
    return {row["job"]: _job(row) for row in rows}


def _job(row: Row) -> dict[str, Any]:
    state = "died" if row["state"] == "running" and not is_alive(row["process"]) else row["state"]
    seconds = None
    if row["ended_at"]:
        seconds = (datetime.fromisoformat(row["ended_at"]) - datetime.fromisoformat(row["started_at"])).total_seconds()
    kept = {name: row[name] for name in ("started_at", "ended_at", "last_done_at", "error")}
    return {"run": row["job_run_id"], "state": state, "seconds": seconds, **kept, "figures": json.loads(row["figures"])}


def _read_disk(store: Store, config: Config) -> dict[str, Any]:
    log = store.path.with_name(store.path.name + "-wal")
    files = [path.stat() for path in config.archive.glob("*.warc*")]
    return {
        "store_bytes": store.path.stat().st_size,
        "log_bytes": log.stat().st_size if log.exists() else 0,
        "archive_files": len(files),
        "archive_bytes": sum(file.st_size for file in files),
        "free_bytes": shutil.disk_usage(store.path.parent).free,
    }


def _read_retention(store: Store, config: Config, now: str) -> dict[str, Any]:
    settings = config.retention
    overdue = count_overdue(store, cutoffs(config.crawl.frozen_clock or now, settings.archive_days, settings.event_days))
    return {
        "archive_days": settings.archive_days,
        "event_days": settings.event_days,
        "oldest_archived_page": store.value("SELECT min(fetched_at) FROM pages WHERE warc_file != ''"),
        "oldest_event": store.value("SELECT min(occurred_on) FROM signal_events"),
        "overdue": dataclasses.asdict(overdue),
    }


def _read_drift(store: Store) -> dict[str, Any]:
    """Of the last run: the features that shifted since their model was trained, those known of more or fewer accounts, and the shares of the fit bands."""
    runs = [row["run_id"] for row in store.query("SELECT run_id FROM scoring_runs ORDER BY as_of DESC, rowid DESC LIMIT 2")]
    if not runs:
        return {}
    shifted = {
        f"{row['product']} {row['feature']}": row["psi"]
        for row in store.query(
            "SELECT product, feature, psi FROM feature_drift WHERE run_id = ? AND psi >= ? ORDER BY psi DESC, 1, 2", (runs[0], SHIFTED)
        )
    }
    coverage = {
        f"{row['product']} {row['feature']}": f"{row['known_now']:.0%} of the accounts, before {row['known_before']:.0%}"
        for row in store.query(
            "SELECT * FROM feature_drift WHERE run_id = ? AND abs(known_now - known_before) >= ? ORDER BY product, feature",
            (runs[0], COVERED),
        )
    }
    before = runs[1] if len(runs) > 1 else None
    shares: dict[str, dict[str, str]] = {}
    for row in store.query(
        """
        SELECT product, coalesce(fit_band, 'Not scored') AS band, sum(run_id = :last) AS n_last, sum(run_id IS :before) AS n_before,
               sum(sum(run_id = :last)) OVER (PARTITION BY product) AS all_last, sum(sum(run_id IS :before)) OVER (PARTITION BY product) AS all_before
        FROM cluster_assignments WHERE run_id IN (:last, :before) GROUP BY 1, 2 ORDER BY 1, 2
        """,
        {"last": runs[0], "before": before},
    ):
        share = f"{row['n_last'] / max(1, row['all_last']):.1%}"
        if before is not None:
            share += f", before {row['n_before'] / max(1, row['all_before']):.1%}"
        shares.setdefault(row["product"], {})[row["band"]] = share
    return {
        f"features whose values shifted (psi of {SHIFTED} and more)": shifted,
        f"features known of {COVERED:.0%} more or fewer of the accounts": coverage,
        "shares of the fit bands": shares,
    }
