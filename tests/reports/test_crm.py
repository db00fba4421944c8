"""What a CRM gets is keyed as what it gives: every row of the export finds its account again by each of its keys."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from intake.importing import import_file
from intake.matching import AccountMatcher
from reports import REPORTS, write_report
from reports.declarations import CRM_KEYS
from scoring.run import score_book
from storage.store import Store
from tests.scoring.books import CATALOGUE, LAST_DAY, fill_store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Twenty scored accounts with names, customer ids and tenant ids of their own."""
    opened = fill_store(tmp_path / "book.db", 20)
    for i, row in enumerate(list(opened.query("SELECT account_id FROM accounts ORDER BY account_id"))):
        values = (f"Quarry{chr(97 + i) * 5} Holdings Ltd", f"C-{i}", f"00000000-0000-4000-8000-{i:012}", row["account_id"])
        opened.execute("UPDATE accounts SET account_name = ?, customer_id = ?, tenant_id = ? WHERE account_id = ?", values)
    score_book(opened, CATALOGUE, LAST_DAY, seed=1)
    return opened


def test_each_key_of_the_export_finds_the_account_again(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "clusters.csv"
    assert write_report(store, CATALOGUE, REPORTS["crm-clusters"], path).n_rows == 20
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0])[:4] == CRM_KEYS
    assert {"AzureCluster", "M365_CoPilotSegment", "SurfaceFitScore", "AsOf"} <= set(rows[0])
    accounts = list(store.query("SELECT account_id, domain, account_name, customer_id, tenant_id FROM accounts"))
    matcher, ids = AccountMatcher(accounts), {row["domain"]: row["account_id"] for row in accounts}
    for row in rows:
        for key in CRM_KEYS:
            assert matcher.match({other: row[other] if other == key else None for other in CRM_KEYS}) == ids[row["domain"]], (row, key)
    clusters = {
        (row["account_id"], row["product"]): row["cluster"]
        for row in store.query("SELECT account_id, product, cluster FROM cluster_assignments WHERE product IN ('Azure', 'Surface')")
    }
    assert clusters == {(ids[row["domain"]], area): row[f"{area}Cluster"] for row in rows for area in ("Azure", "Surface")}


def test_the_export_with_deals_beside_its_keys_is_read_as_opportunities(store: Store, tmp_path: Path) -> None:
    write_report(store, CATALOGUE, REPORTS["crm-clusters"], tmp_path / "clusters.csv")
    with (tmp_path / "clusters.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [row | {"product": "Azure", "created_on": "2026-10-01", "outcome": "open"} for row in csv.DictReader(file)]
    with (tmp_path / "deals.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    summary = import_file(store, "opportunities", tmp_path / "deals.csv", "2026-11-02")
    assert (summary.n_kept, summary.n_rejected, dict(summary.n_matched_by)) == (20, 0, {"domain": 20})
