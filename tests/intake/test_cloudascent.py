"""A CloudAscent export is read by its own headers, and its clusters are held against ours."""

from __future__ import annotations

from pathlib import Path

from intake.cloudascent import ClusterDifference, import_cloudascent
from storage.ids import content_key
from storage.records import ClusterAssignment, ScoringRun
from storage.store import create_store, open_writer

EXPORT = """GlobalID,PartnerName,CustomerID,CustomerTenantID,DUNSNumber,AccountName,Domain,OrgSize,Industry,Country,IsNonprofit,AzureCluster,M365Cluster
4100117,Tallow Street,C-1,,,Northwind Traders,northwind.example,25-49,Retail,Germany,No,Act Now,Nurture
4100117,Tallow Street,C-2,,,Hallam & Reeve,hallamreeve.example,10-24,Legal,GB,No,Nurture,Evaluate
4100117,Tallow Street,C-1,,,Northwind Traders Ltd,,25-49,Retail,DE,No,Educate,
"""


def test_accounts_come_in_and_clusters_are_compared(tmp_path: Path) -> None:
    file = tmp_path / "export.csv"
    file.write_text(EXPORT, encoding="utf-8")
    create_store(tmp_path / "book.db")
    with open_writer(tmp_path / "book.db", "test") as store:
        first = import_cloudascent(store, file, "2026-11-01")
        assert (first.imported.n_kept, first.imported.n_rejected, first.as_of) == (2, 1, None)
        assert store.value("SELECT country FROM firmographics WHERE industry = 'Retail'") == "DE"
        assert "25-49" in store.value("SELECT attributes FROM accounts WHERE customer_id = 'C-1'")
        ids = [content_key("account", domain) for domain in ("northwind.example", "hallamreeve.example")]
        store.save([ScoringRun("r", "2026-11-01", "cloudascent", "m", 2, "c", "v")])
        store.save([ClusterAssignment("r", i, p, None, None, None, "Act now", None, None) for i in ids for p in ("Azure", "M365")])
        second = import_cloudascent(store, file, "2026-11-01")
    assert (second.n_compared, second.n_equal, second.n_unmatched) == (5, 1, 0)
    assert ClusterDifference("M365", "Nurture", "Act now", 1, ("Northwind Traders",)) in second.differences
    assert ClusterDifference("Azure", "Educate", "Act now", 1, ("Northwind Traders Ltd",)) in second.differences
