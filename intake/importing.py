"""One file into the store: rows in, records and rejects out."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from intake.csv_rows import CsvFile, CsvRow, Reject, read_csv
from intake.kinds import KINDS, Kind
from intake.matching import AccountMatcher, NoMatchError
from storage.errors import InputError
from storage.ids import content_key
from storage.records import Account, Firmographics, Opportunity, Partner, Record, Subscription, Transaction
from storage.store import Store

Values = dict[str, Any]
BATCH = 5_000
FIRMOGRAPHIC_FIELDS = [
    "employees",
    "annual_revenue_usd",
    "industry",
    "vertical",
    "area",
    "subsidiary",
    "sales_territory",
    "city",
    "state",
    "postal_code",
    "country",
    "founded_year",
    "is_nonprofit",
]


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What became of a file's rows."""

    kind: str
    n_kept: int
    n_rejected: int
    n_records_new: int
    rejects_path: Path | None
    encoding: str
    delimiter: str
    unknown_columns: tuple[str, ...]
    n_matched_by: Mapping[str, int] = field(default_factory=dict)  # of opportunities: by domain, account_name, customer_id, tenant_id


def import_file(
    store: Store,
    kind_name: str,
    path: Path,
    observed_on: str,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    rename: Mapping[str, str] | None = None,
) -> ImportSummary:
    """Stores the good rows of a CSV file and writes the bad ones to ``<file>.rejects.csv``.

    Args:
        observed_on: the day from which the file's facts count as known.
        rename: from a file's column names to ours, for files of other makers.

    Raises:
        InputError: the file cannot be read, or lacks a required column.
    """
    kind = KINDS[kind_name]
    names = rename or {}
    file = read_csv(path, frozenset(kind.columns) | frozenset(names))
    file = replace(file, columns=tuple(names.get(column, column) for column in file.columns))
    _require_columns(file, kind, path)
    before = _count_records(store, kind_name)
    rejects: list[Reject] = []
    build = _builder(kind_name, store, observed_on)
    n_kept = 0
    batch: list[Record] = []
    for row in file.iter_rows():
        result = row if isinstance(row, Reject) else _build_row(row, kind, file, build)
        if isinstance(result, Reject):
            rejects.append(result)
            continue
        n_kept += 1
        batch.extend(result)
        if len(batch) >= BATCH:
            store.save(batch)
            batch = []
            on_progress(n_kept + len(rejects), len(file.lines))
    store.save(batch)
    on_progress(len(file.lines), len(file.lines))
    return ImportSummary(
        kind_name,
        n_kept,
        len(rejects),
        _count_records(store, kind_name) - before,
        write_rejects(path, rejects),
        file.encoding,
        file.delimiter,
        tuple(column for column in file.columns if column not in kind.columns),
        dict(build.matcher.n_matched) if isinstance(build, _AccountFactBuilder) and build.matcher else {},
    )


def write_rejects(path: Path, rejects: list[Reject]) -> Path | None:
    """Writes ``<file>.rejects.csv`` and returns its path; with no rejects, removes a former one and returns None."""
    target = path.with_name(
        path.name.removesuffix(".csv") + ".csv.rejects.csv" if not path.name.endswith(".csv") else path.stem + ".rejects.csv"
    )
    if not rejects:
        target.unlink(missing_ok=True)
        return None
    with target.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["line", "column", "reason", "row"])
        for reject in rejects:
            # The raw row is quoted with a leading mark so that a spreadsheet never runs it.
            writer.writerow([reject.line, reject.column, reject.reason, "'" + reject.raw])
    return target


def _require_columns(file: CsvFile, kind: Kind, path: Path) -> None:
    missing = [column for column in kind.required if column not in file.columns]
    if missing:
        raise InputError(f"{path} has no column {missing[0]}, which {kind.name} need; it has: {', '.join(file.columns)[:200]}")
    if kind.one_of and not set(kind.one_of) & set(file.columns):
        raise InputError(f"{path} has neither column {' nor '.join(kind.one_of)}; {kind.name} need one to find the account")


def _build_row(row: CsvRow, kind: Kind, file: CsvFile, build: _Builder) -> list[Record] | Reject:
    checked: Values = dict.fromkeys(kind.columns)
    raw = file.delimiter.join(row.fields.values())[:500]
    for column, check in kind.columns.items():
        value = row.fields.get(column, "")
        if not value:
            if column in kind.required:
                return Reject(row.line, column, "is empty", raw)
            continue
        try:
            checked[column] = check(value)
        except ValueError as error:
            return Reject(row.line, column, f"{error}: {value[:80]!r}", raw)
    if kind.one_of and not any(checked[column] for column in kind.one_of):
        others_empty = " and ".join(kind.one_of[1:])
        return Reject(row.line, kind.one_of[0], f"is empty, and so is {others_empty}: no account is named", raw)
    others = {column: value for column, value in row.fields.items() if column not in kind.columns and value}
    try:
        return build(checked, others, row.line)
    except _RowError as error:
        return Reject(row.line, error.column, error.reason, raw)


class _RowError(Exception):
    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column = column
        self.reason = reason


_Builder = Callable[[Values, dict[str, str], int], list[Record]]


def _builder(kind_name: str, store: Store, observed_on: str) -> _Builder:
    if kind_name == "accounts":
        return _AccountBuilder(store, observed_on)
    if kind_name == "partners":
        return _PartnerBuilder()
    return _AccountFactBuilder(store, kind_name)


class _PartnerBuilder:
    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def __call__(self, row: Values, others: dict[str, str], line: int) -> list[Record]:
        _refuse_repeat(self._seen, row["partner_global_id"], "partner_global_id", line)
        return [Partner(row["partner_global_id"], row["partner_name"])]


class _AccountBuilder:
    def __init__(self, store: Store, observed_on: str) -> None:
        self._observed_on = observed_on
        self._domains: dict[str, int] = {}
        self._customers: dict[str, int] = {}
        self._blocked = {row["domain"] for row in store.query("SELECT domain FROM blocked_domains")}
        self._first_seen = {row["account_id"]: row["observed_on"] for row in store.query("SELECT account_id, observed_on FROM accounts")}
        columns = ", ".join(FIRMOGRAPHIC_FIELDS)
        self._latest = {
            row.pop("account_id"): tuple(row.values())
            for row in store.query(f"SELECT account_id, {columns} FROM firmographics WHERE source = 'import' ORDER BY observed_on")  # noqa: S608 - constant names
        }

    def __call__(self, row: Values, others: dict[str, str], line: int) -> list[Record]:
        domain = row["domain"]
        if domain in self._blocked:
            raise _RowError("domain", f"was opted out or forgotten and stays out: {domain!r}")
        _refuse_repeat(self._domains, domain, "domain", line)
        if row["customer_id"]:
            _refuse_repeat(self._customers, row["customer_id"], "customer_id", line)
        account_id = content_key("account", domain)
        account = Account(
            account_id,
            domain,
            row["account_name"],
            row["customer_id"],
            row["tenant_id"],
            row["duns_number"],
            row["partner_global_id"],
            json.dumps(others, sort_keys=True, ensure_ascii=False) if others else None,
            min(self._first_seen.get(account_id, self._observed_on), self._observed_on),
        )
        facts = tuple(row[field] for field in FIRMOGRAPHIC_FIELDS)
        if facts == self._latest.get(account_id) or not any(fact is not None for fact in facts):
            return [account]
        key = content_key("firmographics", account_id, "import", self._observed_on)
        return [account, Firmographics(key, account_id, "import", self._observed_on, *facts)]


class _AccountFactBuilder:
    """Subscriptions, transactions and opportunities: rows that belong to an account already there."""

    def __init__(self, store: Store, kind_name: str) -> None:
        self._kind = kind_name
        self.matcher: AccountMatcher | None = None
        if kind_name == "opportunities":  # they come from a CRM, which may not know our domains
            self.matcher = AccountMatcher(
                store.query("SELECT account_id, domain, account_name, customer_id, tenant_id FROM accounts ORDER BY domain")
            )
        self._by_domain: dict[str, str] = {
            row["domain"]: row["account_id"] for row in store.query("SELECT domain, account_id FROM accounts")
        }
        self._by_customer: dict[str, str] = {
            row["customer_id"]: row["account_id"]
            for row in store.query("SELECT customer_id, account_id FROM accounts WHERE customer_id IS NOT NULL")
        }
        # Two equal purchases on one day are two purchases: the n-th equal row of a file has n in its key.
        self._repeats: Counter[str] = Counter()

    def __call__(self, row: Values, others: dict[str, str], line: int) -> list[Record]:
        account_id = self._account_id(row)
        build: Callable[[str, Values], Record] = {
            "subscriptions": self._subscription,
            "transactions": self._transaction,
            "opportunities": self._opportunity,
        }[self._kind]
        return [build(account_id, row)]

    def _account_id(self, row: Values) -> str:
        if self.matcher is not None:
            try:
                return self.matcher.match(row)
            except NoMatchError as error:
                raise _RowError(error.column, error.reason) from error
        if row["domain"]:
            found: str | None = self._by_domain.get(row["domain"])
            if found is None:
                raise _RowError("domain", f"is no account's domain; import accounts first: {row['domain']!r}")
            if row["customer_id"] and self._by_customer.get(row["customer_id"], found) != found:
                raise _RowError("customer_id", f"belongs to another account than the domain {row['domain']!r}: {row['customer_id']!r}")
            return found
        found = self._by_customer.get(row["customer_id"])
        if found is None:
            raise _RowError("customer_id", f"is no account's customer id; import accounts first: {row['customer_id']!r}")
        return found

    def _key(self, *parts: object) -> str:
        key = content_key(*parts)
        self._repeats[key] += 1
        return content_key(key, self._repeats[key])

    def _subscription(self, account_id: str, row: Values) -> Record:
        if row["ends_on"] and row["ends_on"] < row["started_on"]:
            raise _RowError("ends_on", f"lies before started_on: {row['ends_on']!r}")
        key = self._key("subscription", account_id, row["product"], row["sku"], row["started_on"], row["agreement_id"])
        return Subscription(
            key, account_id, row["partner_global_id"], row["product"], row["sku"], row["seats"], row["started_on"], row["ends_on"],
            row["status"], row["agreement_id"], row["license_program"],
        )  # fmt: skip

    def _transaction(self, account_id: str, row: Values) -> Record:
        key = self._key("transaction", account_id, row["product"], row["sku"], row["transacted_on"], row["amount_usd"])
        return Transaction(
            key, account_id, row["partner_global_id"], row["product"], row["sku"], row["amount_usd"], row["transacted_on"], row["is_end_of_support"]
        )  # fmt: skip

    def _opportunity(self, account_id: str, row: Values) -> Record:
        if row["outcome"] == "open" and row["closed_on"]:
            raise _RowError("closed_on", f"is set, but the outcome is open: {row['closed_on']!r}")
        if row["outcome"] != "open" and not row["closed_on"]:
            raise _RowError("closed_on", f"is empty, but the outcome is {row['outcome']}")
        if row["closed_on"] and row["closed_on"] < row["created_on"]:
            raise _RowError("closed_on", f"lies before created_on: {row['closed_on']!r}")
        key = self._key("opportunity", account_id, row["product"], row["created_on"])
        return Opportunity(
            key, account_id, row["partner_global_id"], row["product"], row["created_on"], row["closed_on"], row["outcome"], row["amount_usd"]
        )  # fmt: skip


def _refuse_repeat(seen: dict[str, int], value: str, column: str, line: int) -> None:
    if value in seen:
        raise _RowError(column, f"stands already in line {seen[value]}: {value!r}")
    seen[value] = line


_COUNT_SQL = {name: f"SELECT count(*) FROM {name}" for name in KINDS}  # noqa: S608 - constant names


def _count_records(store: Store, kind_name: str) -> int:
    return int(store.value(_COUNT_SQL[kind_name]))


def iter_rejects(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a rejects file."""
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
