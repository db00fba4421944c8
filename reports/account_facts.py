"""The documented view ``account_facts`` that cohort rules are written over: one row per account, as of a date.

Columns: account_id, domain, account_name, employees, annual_revenue_usd, industry, country, is_nonprofit; for each fact ``x`` of the catalogue has_x (active
subscription, or bought in the last 36 months), ever_x (in ten years), seats_x (seats of active subscriptions); n_purchases; has_transacted_eos;
transacted_36m; ems_usage (seats_security / seats_m365, at most 1; 0 without).
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any

from storage.catalogue import Catalogue, Cohort
from storage.errors import ConfigError
from storage.records import CohortMember, ScoringRun
from storage.store import Row, Store

BASE_COLUMNS = ("account_id", "domain", "account_name", "employees", "annual_revenue_usd", "industry", "country", "is_nonprofit")
BATCH = 2_000
TEXT_COLUMNS = ("account_id", "domain", "account_name", "industry", "country")


def load_account_facts(store: Store, catalogue: Catalogue, as_of: date, account_ids: Sequence[str]) -> dict[str, Row]:
    """The view's rows of some accounts, by account id."""
    ids = json.dumps(list(account_ids))
    facts = {row["account_id"]: row for row in store.query(_BASE_SQL, {"as_of": as_of.isoformat(), "ids": ids})}
    for row in facts.values():
        row.update(_nothing_bought(catalogue))
    patterns = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in catalogue.fact_patterns.items()}
    recent, oldest = _years_before(as_of, 3), _years_before(as_of, 10)
    for purchase in store.query(_PURCHASES_SQL, {"as_of": as_of.isoformat(), "oldest": oldest, "ids": ids}):
        if purchase["account_id"] in facts:
            _add_purchase(facts[purchase["account_id"]], purchase, patterns, recent)
    for row in facts.values():
        seats = row.get("seats_m365") or 0
        row["ems_usage"] = min(1.0, row.get("seats_security", 0) / seats) if seats else 0.0
    return facts


def assign_cohorts(facts: dict[str, Row], cohorts: tuple[Cohort, ...]) -> dict[str, dict[str, str]]:
    """Per account, the value of each cohort column it belongs to. The rules run in a database of their own that holds nothing else.

    Raises:
        ConfigError: a rule that is no predicate over the view; the message names its cohort.
    """
    assigned: dict[str, dict[str, str]] = {account_id: {} for account_id in facts}
    if not facts:
        return {}
    with _facts_database(list(next(iter(facts.values()))), facts.values()) as run:
        for cohort in cohorts:
            for account_id in run(cohort):
                if account_id in assigned:
                    assigned[account_id].setdefault(cohort.column, cohort.value)
    return assigned


def check_cohorts(catalogue: Catalogue) -> None:
    """Returns when every cohort's rule is a predicate over the view; nothing is read from any store.

    Raises:
        ConfigError: the message names the cohort, its rule, and the columns there are.
    """
    with _facts_database(view_columns(catalogue), ()) as run:
        for cohort in catalogue.cohorts:
            run(cohort)


def view_columns(catalogue: Catalogue) -> list[str]:
    """The columns of ``account_facts`` under a catalogue, in order."""
    return [*BASE_COLUMNS, *_nothing_bought(catalogue), "ems_usage"]


def save_cohorts(store: Store, catalogue: Catalogue, run: ScoringRun) -> int:
    """Keeps the cohorts of a scoring run's accounts, for those who filter by them; returns how many memberships there are."""
    n_saved = 0
    accounts = store.batches("SELECT account_id FROM accounts WHERE observed_on <= :as_of ORDER BY account_id", {"as_of": run.as_of}, BATCH)
    with store.transaction():
        store.execute("DELETE FROM cohort_members WHERE run_id = ?", (run.run_id,))
        for batch in list(accounts):
            facts = load_account_facts(store, catalogue, date.fromisoformat(run.as_of), [row[0] for row in batch])
            members = [
                CohortMember(run.run_id, account_id, column, value)
                for account_id, values in assign_cohorts(facts, catalogue.cohorts).items()
                for column, value in values.items()
            ]
            store.save(members)
            n_saved += len(members)
    return n_saved


@contextmanager
def _facts_database(columns: Sequence[str], facts: Iterable[Row]) -> Iterator[Callable[[Cohort], list[str]]]:
    connection = sqlite3.connect(":memory:")
    names = ", ".join(f'"{name}" {"TEXT" if name in TEXT_COLUMNS else "NUMERIC"}' for name in columns)
    connection.execute(f"CREATE TABLE account_facts ({names})")
    marks = ", ".join("?" * len(columns))
    connection.executemany(f"INSERT INTO account_facts VALUES ({marks})", ([row[name] for name in columns] for row in facts))  # noqa: S608
    connection.commit()
    connection.set_authorizer(_read_only)
    connection.set_progress_handler(_Budget(), 100_000)

    def run(cohort: Cohort) -> list[str]:
        try:
            # The operator's own SQL is the rule language; the authorizer below keeps it to reading this one table.
            rows = connection.execute(f"SELECT account_id FROM account_facts WHERE ({cohort.predicate}) ORDER BY account_id")  # noqa: S608
            return [row[0] for row in rows]
        except (sqlite3.Error, sqlite3.Warning) as error:
            known = ", ".join(columns)
            raise ConfigError(
                f"cohort {cohort.column} ({cohort.value}): {error} in {cohort.predicate!r}; account_facts has: {known}"
            ) from error

    try:
        yield run
    finally:
        connection.close()


class _Budget:
    """Stops a rule that runs away: returns a true value after 500 calls, 50 million steps."""

    def __init__(self) -> None:
        self._n_calls = 0

    def __call__(self) -> int:
        self._n_calls += 1
        return self._n_calls > 500


def _read_only(action: int, first: str | None, second: str | None, database: str | None, trigger: str | None) -> int:
    if action == sqlite3.SQLITE_SELECT:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_READ:
        return sqlite3.SQLITE_OK if first == "account_facts" else sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_FUNCTION:
        return sqlite3.SQLITE_DENY if second in ("load_extension", "readfile", "writefile", "edit", "fts3_tokenizer") else sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def latest_facts_of(account: str, facts: str) -> str:
    """The SQL that joins the firmographics of an account known by ``:as_of``, under the given names of both tables."""
    return f"""LEFT JOIN firmographics {facts} ON {facts}.firmographics_id = (
        SELECT firmographics_id FROM firmographics latest WHERE latest.account_id = {account}.account_id AND latest.observed_on <= :as_of
        ORDER BY latest.observed_on DESC, latest.firmographics_id LIMIT 1)"""  # noqa: S608 - our own names


_BASE_SQL = f"""
    SELECT a.account_id, a.domain, a.account_name, f.employees, f.annual_revenue_usd, f.industry, f.country, f.is_nonprofit
    FROM accounts a {latest_facts_of("a", "f")}
    WHERE a.account_id IN (SELECT value FROM json_each(:ids)) AND a.observed_on <= :as_of ORDER BY a.account_id
"""  # noqa: S608 - our own text
_PURCHASES_SQL = """
    SELECT account_id, product, sku, coalesce(license_program, '') AS program, coalesce(seats, 0) AS seats, started_on AS day,
           (ends_on IS NULL OR ends_on >= :as_of) AND coalesce(lower(status), 'active') NOT IN ('cancelled', 'canceled', 'expired', 'suspended') AS is_active,
           0 AS eos, 0 AS is_transaction
    FROM subscriptions WHERE account_id IN (SELECT value FROM json_each(:ids)) AND started_on BETWEEN :oldest AND :as_of
    UNION ALL
    SELECT account_id, product, sku, '', 0, transacted_on, 0, coalesce(is_end_of_support, 0), 1
    FROM transactions WHERE account_id IN (SELECT value FROM json_each(:ids)) AND transacted_on BETWEEN :oldest AND :as_of
"""


def _nothing_bought(catalogue: Catalogue) -> Row:
    row: Row = {"n_purchases": 0, "has_transacted_eos": 0, "transacted_36m": 0}
    for name in catalogue.fact_patterns:
        row |= {f"has_{name}": 0, f"ever_{name}": 0, f"seats_{name}": 0}
    return row


def _add_purchase(row: Row, purchase: Row, patterns: dict[str, re.Pattern[str]], recent: str) -> None:
    text = f"{purchase['product']} {purchase['sku'] or ''} {purchase['program']}"
    is_recent = purchase["is_active"] or purchase["day"] > recent
    row["n_purchases"] += 1
    row["has_transacted_eos"] = max(row["has_transacted_eos"], purchase["eos"])
    row["transacted_36m"] = max(row["transacted_36m"], int(bool(purchase["is_transaction"] and purchase["day"] > recent)))
    for name, pattern in patterns.items():
        if pattern.search(text):
            row[f"ever_{name}"] = 1
            row[f"has_{name}"] = max(row[f"has_{name}"], int(bool(is_recent)))
            row[f"seats_{name}"] += purchase["seats"] if purchase["is_active"] else 0


def _years_before(day: date, years: int) -> str:
    return day.replace(year=day.year - years, day=min(day.day, 28)).isoformat()


def yes_no(value: Any) -> str:
    """``Yes``, ``No``, or empty when unknown."""
    return "" if value is None else ("Yes" if value else "No")
