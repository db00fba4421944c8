"""What one person may see: every query that serves a user of the hub goes through a ``PartnerScope``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

from reports.account_facts import BATCH as ACCOUNTS_PER_BATCH
from reports.account_facts import latest_facts_of
from reports.declarations import REPORTS
from reports.explanation import Explanation, explain_account
from reports.filters import EVERYTHING, RowFilters
from reports.listing import EVERYONES, SHORTEST_INDEXED, cohort_bits, searched
from reports.reasons import type_in_words
from reports.writing import CLUSTER_ORDER, WrittenReport, iter_rows, latest_run, write_report
from storage.catalogue import Catalogue
from storage.clock import end_of_day
from storage.errors import StoreError
from storage.feedback import WRONG_EVENTS
from storage.store import Row, Store

PAGE = 50
MOST_COUNTED = 300  # beyond it, "more than"
MOST_LOOKED_UP = 20_000  # accounts of a name that are looked up one by one; beyond it, the listing is walked from the top
N_AT_THE_TOP = 2_000  # where it is seen whether a walk will soon have met enough


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
    load_outlook: Callable[[Store, str, str], Mapping[str, Mapping[str, Any]]] = lambda store, run_id, account_id: {}

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
        """A page of accounts for a product, by cluster, signals and fit from the top."""
        values: dict[str, Any] = {"product": filters.product}
        listed, values = self._listed(run, "l.rank, l.account_id", list(self._chosen(filters, values)), values)
        values["limit"] = max(MOST_COUNTED, page * PAGE) + 1
        ids = [row["account_id"] for row in self.store.query(f"{listed} ORDER BY 1 LIMIT :limit", values)]
        shown = ids[(page - 1) * PAGE : page * PAGE]
        found = self.store.query(
            _SHOWN_SQL, {"run": run["run_id"], "as_of": run["as_of"], "product": filters.product, "ids": json.dumps(shown)}
        )
        rows = {row["account_id"]: row for row in found}
        return AccountList(
            [rows[account_id] for account_id in shown], len(ids) if len(ids) <= MOST_COUNTED else None, len(ids) > page * PAGE
        )

    def choices(self, run: Row) -> dict[str, list[str]]:
        """The industries and countries of the accounts that may be seen."""
        self._require_listing(run)
        found: dict[str, list[str]] = {}
        for name in ("industry", "country"):
            parts, values = self._branches("listed_counts", f"l.{name} AS value", [f"l.{name} <> ''"])
            sql = f"SELECT DISTINCT value FROM ({' UNION '.join(parts)}) ORDER BY 1 LIMIT 200"  # noqa: S608 - our own text
            found[name] = [row["value"] for row in self.store.query(sql, values | {"product": self.catalogue.products[0].product_id})]
        return found

    def explanation(self, account_id: str) -> Explanation | None:
        """Why an account stands where it stands; None when it may not be seen or is not scored yet."""
        if not self.may_see(account_id):
            return None
        run = self.run()
        if not self.store.value("SELECT 1 FROM cluster_assignments WHERE run_id = ? AND account_id = ?", (run["run_id"], account_id)):
            return None
        return explain_account(
            self.store, self.catalogue, account_id, None, date.fromisoformat(run["as_of"]), Path(),
            lambda run_id, account: self.load_outlook(self.store, run_id, account),
        )  # fmt: skip

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
        """A page of the account as it was archived by the latest run's date: its title and main text; None when it may not be seen."""
        if not self.may_see(account_id):
            return None
        seen_by = end_of_day(self.run()["as_of"])
        return next(
            self.store.query(
                """SELECT d.*, p.fetched_at, p.warc_file, p.warc_offset FROM documents d JOIN pages p USING (page_id)
                WHERE d.document_id = :document AND p.fetched_at <= :seen_by AND (d.account_id = :account OR EXISTS (
                    SELECT 1 FROM signal_events e WHERE e.document_id = d.document_id AND e.account_id = :account AND e.observed_at <= :seen_by))""",
                {"document": document_id, "account": account_id, "seen_by": seen_by},
            ),
            None,
        )

    def cluster_counts(self, run: Row) -> dict[str, dict[str, int]]:
        """Accounts per product and cluster."""
        self._require_listing(run)
        counts = {product.product_id: dict.fromkeys(CLUSTER_ORDER, 0) for product in self.catalogue.products}
        for product in counts:
            parts, values = self._branches("listed_counts", "l.cluster, sum(l.n_accounts) AS n", [])
            sql = f"{parts[0]} GROUP BY 1" if parts else ""
            if len(parts) > 1:  # an account may be several partners': counted once
                parts, values = self._branches("listed_accounts", "l.rank, l.cluster", [])
                sql = f"SELECT cluster, count(*) AS n FROM ({' UNION '.join(parts)}) GROUP BY 1"  # noqa: S608 - our own text
            for row in self.store.query(sql, values | {"product": product}) if sql else ():
                counts[product][row["cluster"]] = row["n"]
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

    def n_forgotten(self) -> int:
        """How many companies are blocked: it grows while one is being forgotten."""
        return int(self.store.value("SELECT count(*) FROM blocked_domains"))

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

    def _listed(self, run: Row, columns: str, conditions: list[str], values: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """A SELECT over the listed accounts that may be seen, each once."""
        self._require_listing(run)
        parts, of_rights = self._branches("listed_accounts", columns, conditions)
        return " UNION ".join(parts) or f"SELECT {columns} FROM listed_accounts l WHERE 0", values | of_rights  # noqa: S608 - our own text

    def _branches(self, table: str, columns: str, conditions: list[str]) -> tuple[list[str], dict[str, Any]]:
        """A SELECT for each right over a listing, for ``:product``; a right to everything stands for all others."""
        rights = [right for right in self.rights if right == EVERYTHING_OF_EVERYONE][:1] or list(self.rights)
        parts: list[str] = []
        values: dict[str, Any] = {}
        for i, right in enumerate(rights):
            values[f"whose{i}"] = EVERYONES if right.partner_global_id is None else right.partner_global_id
            of_country = []
            if right.country is not None:
                values[f"country{i}"] = right.country
                of_country = [f"l.country = :country{i}"]
            all_conditions = " AND ".join(["l.product = :product", f"l.whose = :whose{i}", *of_country, *conditions])
            parts.append(f"SELECT {columns} FROM {table} l WHERE {all_conditions}")  # noqa: S608 - our own text
        return parts, values

    def _require_listing(self, run: Row) -> None:
        if self.store.value("SELECT run_id FROM listed_runs") != run["run_id"]:
            raise StoreError(f"the accounts as of {run['as_of']} are not listed yet; run `bellwether score --as-of {run['as_of']}`")

    def _chosen(self, filters: AccountFilters, values: dict[str, Any]) -> Iterator[str]:
        """Conditions on ``listed_accounts l``; the cheap ones first."""
        segments = self.catalogue.segments
        sizes = {
            "Small": (0, segments.medium_from),
            "Medium": (segments.medium_from, segments.upper_medium_from),
            "Upper Medium": (segments.upper_medium_from, segments.corporate_from),
        }
        if filters.size in sizes:
            values["size_from"], values["size_below"] = sizes[filters.size]
            yield "l.employees >= :size_from AND l.employees < :size_below"
        if filters.min_potential_usd is not None:
            values["min_potential"] = filters.min_potential_usd
            yield "l.potential_high_usd >= :min_potential"
        if filters.cohort:
            column, _, value = filters.cohort.partition(": ")
            if bit := cohort_bits(self.catalogue.cohorts).get((column, value)):
                values["bit"] = bit
                yield "l.cohorts & :bit"
            else:
                values |= {"cohort": column, "cohort_value": value}
                yield """EXISTS (SELECT 1 FROM cohort_members m JOIN listed_runs USING (run_id)
                    WHERE m.cohort = :cohort AND m.account_id = l.account_id AND m.value = :cohort_value)"""
        for name in ("cluster", "industry", "country"):
            if value := getattr(filters, name):
                values[name] = value
                yield f"l.{name} = :{name}"
        if filters.text:
            yield self._named(searched(filters.text), values)

    def _named(self, text: str, values: dict[str, Any]) -> str:
        """A condition on ``listed_accounts l``: a part of the name or domain. How it is asked depends on how many there are."""
        if len(text) < SHORTEST_INDEXED:
            values["plain_text"] = text
            return _IS_NAMED
        values["text"] = '"' + text.replace('"', '""') + '"'
        named = "SELECT rowid FROM listed_trigrams WHERE listed_trigrams MATCH :text"
        n_named = self.store.value(f"SELECT count(*) FROM ({named} LIMIT {MOST_LOOKED_UP + 1})", values)  # noqa: S608 - our own text
        if n_named > MOST_LOOKED_UP:
            values["plain_text"] = text
            is_common = self.store.value(_N_NAMED_AT_THE_TOP, values) > N_AT_THE_TOP // 10
            return _IS_NAMED if is_common else f"+l.n IN ({named})"
        return f"""l.rank IN (SELECT e.rank FROM ({named}) m CROSS JOIN listed_accounts e ON e.n = m.rowid
            WHERE e.product = :product AND e.whose = '')"""  # noqa: S608 - our own text


EVERYTHING_OF_EVERYONE = Right(None)
_IS_NAMED = "EXISTS (SELECT 1 FROM listed_names m WHERE m.n = l.n AND instr(m.names, :plain_text))"
_N_NAMED_AT_THE_TOP = f"""SELECT count(*) FROM (SELECT n FROM listed_accounts WHERE product = :product AND whose = '' ORDER BY rank LIMIT {N_AT_THE_TOP}) l
    WHERE {_IS_NAMED}"""  # noqa: S608 - our own text
_FIRMOGRAPHICS = latest_facts_of("a", "p")
_SHOWN_SQL = f"""SELECT a.account_id, a.account_name, a.domain, p.employees, p.industry, p.country, c.cluster, c.segment, c.fit_band, c.signals_band,
    c.potential_revenue_low_usd, c.potential_revenue_high_usd, f.score AS fit_score, s.score AS signal_score
    FROM accounts a JOIN cluster_assignments c USING (account_id) JOIN fit_scores f USING (run_id, account_id, product)
    JOIN signal_scores s USING (run_id, account_id, product) {_FIRMOGRAPHICS}
    WHERE c.run_id = :run AND c.product = :product AND a.account_id IN (SELECT value FROM json_each(:ids))"""  # noqa: S608 - our own text
