"""What one person may see: every query that serves a user of the hub goes through a ``PartnerScope``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

from reports.account_facts import BATCH as ACCOUNTS_PER_BATCH
from reports.declarations import REPORTS
from reports.explanation import Explanation, explain_account
from reports.filters import EVERYTHING, RowFilters
from reports.reasons import type_in_words
from reports.writing import CLUSTER_ORDER, WrittenReport, iter_rows, latest_run, write_report
from storage.catalogue import Catalogue
from storage.clock import end_of_day
from storage.errors import StoreError
from storage.feedback import WRONG_EVENTS
from storage.store import Row, Store

PAGE = 50
MOST_COUNTED = 300  # beyond it, "more than"


@dataclass(frozen=True, slots=True)
class Right:
    """A right to see: the accounts that transacted with a partner, or all of them when it is None; of one country, or of every one."""

    partner_global_id: str | None
    country: str | None = None


@dataclass(frozen=True, slots=True)
class AccountFilters:
    """Which accounts of a product to list; an empty value lets all pass."""

    product: str
    cluster: str = ""
    cohort: str = ""  # "column: value"
    size: str = ""
    industry: str = ""
    country: str = ""
    min_potential_usd: float | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class AccountList:
    """A page of accounts; ``n_found`` is None beyond what is counted."""

    rows: list[Row]
    n_found: int | None
    has_more: bool


@dataclass(frozen=True, slots=True)
class PartnerScope:
    """The store as one person sees it. A person without a right sees nothing."""

    store: Store
    catalogue: Catalogue
    rights: tuple[Right, ...]
    _parameters: dict[str, Any] = field(default_factory=dict)

    def runs(self) -> list[str]:
        """The dates scored, latest first."""
        return [row["as_of"] for row in self.store.query("SELECT DISTINCT as_of FROM scoring_runs ORDER BY as_of DESC LIMIT 24")]

    def run(self, as_of: date | None = None) -> Row:
        """The scoring run of a date, or the latest.

        Raises:
            StoreError: nothing was scored.
        """
        return latest_run(self.store, as_of)

    def partners(self) -> list[Row]:
        """The partners whose accounts may be seen, by name."""
        everything = any(right.partner_global_id is None for right in self.rights)
        ids = json.dumps([right.partner_global_id for right in self.rights])
        condition = "" if everything else "WHERE partner_global_id IN (SELECT value FROM json_each(:ids))"
        return list(self.store.query(f"SELECT * FROM partners {condition} ORDER BY partner_name", {"ids": ids}))  # noqa: S608 - our own text

    def accounts(self, run: Row, filters: AccountFilters, page: int = 1) -> AccountList:
        """A page of accounts for a product, by fit score from the top."""
        conditions, values = self._conditions(run, filters)
        values |= {"limit": PAGE + 1, "offset": (page - 1) * PAGE}
        rows = list(
            self.store.query(f"{_LIST_SQL} WHERE {conditions} ORDER BY f.score DESC, f.account_id LIMIT :limit OFFSET :offset", values)
        )
        counted = f"SELECT count(*) FROM (SELECT 1 {_LIST_TABLES} WHERE {conditions} LIMIT {MOST_COUNTED + 1})"  # noqa: S608 - our own text
        n_found = int(self.store.value(counted, values))
        return AccountList(rows[:PAGE], n_found if n_found <= MOST_COUNTED else None, len(rows) > PAGE)

    def choices(self, run: Row) -> dict[str, list[str]]:
        """The industries and countries of the accounts that may be seen."""
        visible, values = self._visible(run["as_of"])
        found: dict[str, list[str]] = {}
        for name in ("industry", "country"):
            sql = f"""SELECT DISTINCT g.{name} AS value FROM firmographics g JOIN accounts a USING (account_id)
                LEFT JOIN firmographics p ON p.firmographics_id = g.firmographics_id
                WHERE g.{name} IS NOT NULL AND {visible} ORDER BY 1 LIMIT 200"""  # noqa: S608 - our own text
            found[name] = [row["value"] for row in self.store.query(sql, values)]
        return found

    def explanation(self, account_id: str) -> Explanation | None:
        """Why an account stands where it stands; None when it may not be seen or is not scored yet."""
        if not self.may_see(account_id):
            return None
        run = self.run()
        if not self.store.value("SELECT 1 FROM cluster_assignments WHERE run_id = ? AND account_id = ?", (run["run_id"], account_id)):
            return None
        return explain_account(self.store, self.catalogue, account_id, None, date.fromisoformat(run["as_of"]), Path())

    def may_see(self, account_id: str) -> bool:
        """Whether the account lies in this scope, as of the latest run."""
        visible, values = self._visible(self.run()["as_of"])
        sql = f"SELECT 1 FROM accounts a {_FIRMOGRAPHICS} WHERE a.account_id = :account_id AND {visible}"  # noqa: S608 - our own text
        return self.store.value(sql, values | {"account_id": account_id}) is not None

    def firmographics(self, account_id: str) -> Row:
        """What is known of a company; empty when it may not be seen."""
        if not self.may_see(account_id):
            return {}
        sql = f"SELECT p.*, a.account_name, a.domain, a.customer_id FROM accounts a {_FIRMOGRAPHICS} WHERE a.account_id = :account_id"  # noqa: S608
        return next(self.store.query(sql, {"account_id": account_id, "as_of": self.run()["as_of"]}), {})

    def timeline(self, account_id: str, limit: int = 60) -> list[Row]:
        """The account's events, latest first, each with its quote and document."""
        if not self.may_see(account_id):
            return []
        rows = self.store.query(
            f"""SELECT e.*, d.url, d.title, coalesce(p.fetched_at, d.observed_at) AS fetched_at FROM signal_events e
            JOIN documents d USING (document_id) LEFT JOIN pages p USING (page_id)
            WHERE e.account_id = :account AND e.duplicate_of IS NULL AND e.observed_at <= :until AND e.event_id NOT IN ({WRONG_EVENTS})
            ORDER BY e.occurred_on DESC, e.event_id LIMIT :limit""",  # noqa: S608 - our own condition
            {"account": account_id, "until": end_of_day(self.run()["as_of"]), "limit": limit},
        )
        return [row | {"words": type_in_words(row["event_type"])} for row in rows]

    def cohorts(self, account_id: str) -> list[Row]:
        """The account's solution plays with profile, pitch and links."""
        if not self.may_see(account_id):
            return []
        members = self.store.query(
            "SELECT cohort, value FROM cohort_members WHERE run_id = ? AND account_id = ? ORDER BY cohort",
            (self.run()["run_id"], account_id),
        )
        plays = {(cohort.column, cohort.value): cohort for cohort in self.catalogue.cohorts}
        return [row | {"play": plays[row["cohort"], row["value"]]} for row in members if (row["cohort"], row["value"]) in plays]

    def archived_text(self, account_id: str, document_id: str) -> Row | None:
        """A page of the account as it was archived: its title and main text; None when it may not be seen."""
        if not self.may_see(account_id):
            return None
        return next(
            self.store.query(
                """SELECT d.*, p.fetched_at, p.warc_file, p.warc_offset FROM documents d JOIN pages p USING (page_id)
                WHERE d.document_id = :document AND (d.account_id = :account
                    OR EXISTS (SELECT 1 FROM signal_events e WHERE e.document_id = d.document_id AND e.account_id = :account))""",
                {"document": document_id, "account": account_id},
            ),
            None,
        )

    def cluster_counts(self, run: Row) -> dict[str, dict[str, int]]:
        """Accounts per product and cluster."""
        visible, values = self._visible(run["as_of"])
        counts = {product.product_id: dict.fromkeys(CLUSTER_ORDER, 0) for product in self.catalogue.products}
        sql = f"""SELECT c.product, c.cluster, count(*) AS n FROM cluster_assignments c JOIN accounts a USING (account_id) {_FIRMOGRAPHICS}
            WHERE c.run_id = :run AND {visible} GROUP BY 1, 2"""  # noqa: S608 - our own text
        for row in self.store.query(sql, values | {"run": run["run_id"]}):
            counts.get(row["product"], {})[row["cluster"]] = row["n"]
        return counts

    def movements(self, run: Row, limit: int = 12) -> list[Row]:
        """Accounts that entered Act now or left it since the run before, strongest first."""
        visible, values = self._visible(run["as_of"])
        sql = f"""SELECT m.*, a.account_name, a.domain FROM cluster_movements m JOIN accounts a USING (account_id) {_FIRMOGRAPHICS}
            JOIN fit_scores f USING (run_id, account_id, product)
            WHERE m.run_id = :run AND m.from_cluster <> m.to_cluster AND 'Act now' IN (m.from_cluster, m.to_cluster) AND {visible}
            ORDER BY m.to_cluster = 'Act now' DESC, f.score DESC, a.domain LIMIT :limit"""  # noqa: S608 - our own text
        return list(self.store.query(sql, values | {"run": run["run_id"], "limit": limit}))

    def coverage(self, run: Row) -> Row:
        """How many accounts there are, how many were looked at in the last quarter, and when the latest look was."""
        visible, values = self._visible(run["as_of"])
        sql = f"""SELECT count(*) AS n_accounts, count(l.latest) AS n_looked_at, sum(l.latest >= date(:as_of, '-90 days')) AS n_fresh,
                max(l.latest) AS latest
            FROM accounts a {_FIRMOGRAPHICS}
            LEFT JOIN (SELECT account_id, max(checked_at) AS latest FROM pages WHERE fetched_at <= :seen GROUP BY 1) l USING (account_id)
            WHERE a.observed_on <= :as_of AND {visible}"""  # noqa: S608 - our own text
        return next(self.store.query(sql, values | {"seen": end_of_day(run["as_of"])}))

    def model_card(self) -> Mapping[str, Any] | None:
        """What the latest validation found, for those who may see the whole book; None otherwise or without one."""
        if not any(right.partner_global_id is None for right in self.rights):
            return None
        text = self.store.value("SELECT content FROM model_cards ORDER BY as_of DESC, rowid DESC LIMIT 1")
        return json.loads(text) if text else None

    def preview(self, report: str, right: Right, as_of: date | None, filters: RowFilters, n_rows: int = 20) -> list[Row]:
        """The first rows of a report."""
        self._require(right)
        run = self.run(as_of)
        rows = iter_rows(self.store, self.catalogue, REPORTS[report], run, right.partner_global_id, right.country)
        return list(islice(filter(filters.passes, islice(rows, ACCOUNTS_PER_BATCH)), n_rows))

    def write(
        self,
        report: str,
        right: Right,
        path: Path,
        as_of: date | None,
        file_format: str,
        columns: Sequence[str],
        filters: RowFilters = EVERYTHING,
    ) -> WrittenReport:
        """Writes a report file of one of the person's rights."""
        self._require(right)
        return write_report(
            self.store, self.catalogue, REPORTS[report], path, right.partner_global_id, as_of, file_format, columns, right.country, filters
        )

    def _require(self, right: Right) -> None:
        if right not in self.rights:
            raise StoreError("the right this report was made with is no longer yours; make the report anew")

    def _visible(self, as_of: str) -> tuple[str, dict[str, Any]]:
        """An SQL condition on ``accounts a`` and its latest firmographics ``p``, and its parameters. No right, no rows."""
        parts, values = ["0"], {"as_of": as_of}
        for i, right in enumerate(self.rights):
            part = "1"
            if right.partner_global_id is not None:
                values[f"partner{i}"] = right.partner_global_id
                # Probed per account, not listed whole: a large partner's accounts are many, and a page shows fifty.
                part = f"""(EXISTS (SELECT 1 FROM transactions t WHERE t.partner_global_id = :partner{i} AND t.account_id = a.account_id
                    AND t.transacted_on <= :as_of) OR EXISTS (SELECT 1 FROM subscriptions s WHERE s.partner_global_id = :partner{i}
                    AND s.account_id = a.account_id AND s.started_on <= :as_of))"""  # noqa: S608 - our own text
            if right.country is not None:
                values[f"country{i}"] = right.country
                part += f" AND p.country = :country{i}"
            parts.append(f"({part})")
        corporate = self.catalogue.segments.corporate_from
        return f"({' OR '.join(parts)}) AND coalesce(p.employees, 0) < {corporate}", values

    def _conditions(self, run: Row, filters: AccountFilters) -> tuple[str, dict[str, Any]]:
        visible, values = self._visible(run["as_of"])
        values |= {"run": run["run_id"], "product": filters.product}
        if filters.cluster and run["catalogue_hash"] == self.catalogue.content_hash and (bounds := self._fit_bounds(filters.cluster)):
            values["fit_from"], values["fit_below"] = bounds
            visible += " AND f.score >= :fit_from AND f.score < :fit_below"
        return " AND ".join(["f.run_id = :run", "f.product = :product", visible, *self._chosen(filters, values)]), values

    def _fit_bounds(self, cluster: str) -> tuple[float, float] | None:
        """Fit scores outside which no account has the cluster: they lead straight to its place in the index by rank."""
        bands, cells = self.catalogue.bands, self.catalogue.matrix.cells
        limits = {
            "High": (bands.high, 101.0),
            "Medium": (bands.medium, bands.high),
            "Low": (bands.low, bands.medium),
            "Very low": (0.0, bands.low),
        }
        holding = [limits[band] for band, row in cells.items() if any(cell == cluster for _, cell in row.values())]
        return (min(low for low, _ in holding), max(high for _, high in holding)) if holding else None

    def _chosen(self, filters: AccountFilters, values: dict[str, Any]) -> Iterator[str]:
        segments = self.catalogue.segments
        sizes = {
            "Small": (0, segments.medium_from),
            "Medium": (segments.medium_from, segments.upper_medium_from),
            "Upper Medium": (segments.upper_medium_from, segments.corporate_from),
        }
        for name, column in (("cluster", "c.cluster"), ("industry", "p.industry"), ("country", "p.country")):
            if value := getattr(filters, name):
                values[name] = value
                yield f"{column} = :{name}"
        if filters.size in sizes:
            values["size_from"], values["size_below"] = sizes[filters.size]
            yield "p.employees >= :size_from AND p.employees < :size_below"
        if filters.cohort:
            values["cohort"], _, values["cohort_value"] = filters.cohort.partition(": ")
            yield "a.account_id IN (SELECT account_id FROM cohort_members WHERE run_id = :run AND cohort = :cohort AND value = :cohort_value)"
        if filters.min_potential_usd is not None:
            values["min_potential"] = filters.min_potential_usd
            yield "c.potential_revenue_high_usd >= :min_potential"
        if filters.text:
            values["text"] = f"%{filters.text.replace('~', '~~').replace('%', '~%').replace('_', '~_')}%"
            yield "(a.account_name LIKE :text ESCAPE '~' OR a.domain LIKE :text ESCAPE '~')"


_FIRMOGRAPHICS = """LEFT JOIN firmographics p ON p.firmographics_id = (
    SELECT firmographics_id FROM firmographics g WHERE g.account_id = a.account_id AND g.observed_on <= :as_of
    ORDER BY g.observed_on DESC, g.firmographics_id LIMIT 1)"""
_LIST_TABLES = f"""FROM fit_scores f CROSS JOIN cluster_assignments c USING (run_id, account_id, product)
    CROSS JOIN accounts a USING (account_id) {_FIRMOGRAPHICS}"""
_LIST_SQL = f"""SELECT a.account_id, a.account_name, a.domain, p.employees, p.industry, p.country, c.cluster, c.segment, c.fit_band, c.signals_band,
    c.potential_revenue_low_usd, c.potential_revenue_high_usd, f.score AS fit_score,
    (SELECT score FROM signal_scores s WHERE s.run_id = f.run_id AND s.account_id = f.account_id AND s.product = f.product) AS signal_score
    {_LIST_TABLES}"""  # noqa: S608 - our own text
