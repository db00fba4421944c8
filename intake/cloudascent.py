"""A CloudAscent export: its accounts into the store, and where its clusters and ours differ."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from intake.csv_rows import CsvRow, read_csv
from intake.importing import ImportSummary, import_file
from intake.matching import AccountMatcher, NoMatchError
from storage.store import Store

# Their headers, as read_csv spells them, and ours. OrgSize is a band and no number of employees: it stays an attribute.
COLUMNS = {
    "accountname": "account_name", "customerid": "customer_id", "customertenantid": "tenant_id", "dunsnumber": "duns_number",
    "globalid": "partner_global_id", "salesterritory": "sales_territory", "postalcode": "postal_code", "isnonprofit": "is_nonprofit",
}  # fmt: skip
CLUSTER_ENDING = "cluster"
N_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class ClusterDifference:
    """So many accounts stand in one cluster there and in another here, for a product area; some of them by name."""

    area: str
    theirs: str
    ours: str
    n_accounts: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CloudAscentSummary:
    """What was imported, and how the clusters compare with the latest scores."""

    imported: ImportSummary
    as_of: str | None  # of our scores; None: nothing is scored yet
    n_compared: int
    n_equal: int
    n_unmatched: int
    differences: list[ClusterDifference]


def import_cloudascent(
    store: Store, path: Path, observed_on: str, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> CloudAscentSummary:
    """Imports the accounts that have a domain; compares the clusters of all that can be matched.

    Raises:
        InputError: the file cannot be read, or has neither AccountName nor Domain.
    """
    imported = import_file(store, "accounts", path, observed_on, on_progress, rename=COLUMNS)
    run = next(store.query("SELECT run_id, as_of FROM scoring_runs ORDER BY as_of DESC, rowid DESC LIMIT 1"), None)
    if run is None:
        return CloudAscentSummary(imported, None, 0, 0, 0, [])
    ours = {
        (row["account_id"], row["product"].lower()): (row["product"], row["cluster"])
        for row in store.query("SELECT account_id, product, cluster FROM cluster_assignments WHERE run_id = ?", (run["run_id"],))
    }
    matcher = AccountMatcher(store.query("SELECT account_id, domain, account_name, customer_id, tenant_id FROM accounts ORDER BY domain"))
    pairs: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    n_unmatched = 0
    for row in read_csv(path, frozenset(COLUMNS) | {"domain"}).iter_rows():
        if not isinstance(row, CsvRow):
            continue
        account_id = _matched(matcher, row)
        n_unmatched += account_id is None
        for column, theirs in row.fields.items():
            found = ours.get((account_id or "", column.removesuffix(CLUSTER_ENDING))) if column.endswith(CLUSTER_ENDING) else None
            if found and theirs:
                pairs[found[0], theirs, found[1]].append(row.fields.get("accountname") or row.fields.get("domain") or "")
    n_equal = sum(len(names) for (_, theirs, here), names in pairs.items() if theirs.lower() == here.lower())
    differences = [
        ClusterDifference(*key, len(names), tuple(names[:N_EXAMPLES]))
        for key, names in sorted(pairs.items())
        if key[1].lower() != key[2].lower()
    ]
    return CloudAscentSummary(imported, run["as_of"], sum(map(len, pairs.values())), n_equal, n_unmatched, differences)


def _matched(matcher: AccountMatcher, row: CsvRow) -> str | None:
    fields = {name: row.fields.get(name) or None for name in ("domain", "accountname", "customerid", "customertenantid")}
    if not any(fields.values()):
        return None
    try:
        return matcher.match({COLUMNS.get(name, name): value for name, value in fields.items()})
    except NoMatchError:
        return None
