"""A CRM's row finds its account by domain, then name, then customer id, then tenant id, and says when it cannot."""

from __future__ import annotations

from typing import Any

import pytest

from intake.matching import AccountMatcher, NoMatchError

NAMES = {
    "northwind.test": "Northwind Traders Ltd",
    "siemens.test": "Siemens AG",
    "alpha.test": "Alpha Works GmbH",
    "alpha2.test": "Alpha Works Inc",
}
ACCOUNTS: list[dict[str, Any]] = [
    {
        "account_id": f"id-{domain}",
        "domain": domain,
        "account_name": name,
        "customer_id": f"C-{domain}",
        "tenant_id": "T-shared" if "alpha" in domain else None,
    }
    for domain, name in NAMES.items()
]
EMPTY = {"domain": None, "account_name": None, "customer_id": None, "tenant_id": None}


@pytest.mark.parametrize(
    ("row", "found", "how"),
    [
        ({"domain": "siemens.test", "account_name": "Northwind"}, "siemens.test", "domain"),
        ({"domain": "other.test", "account_name": "Siemens Aktiengesellschaft"}, "siemens.test", "account_name"),
        ({"account_name": "Nortwind Traders"}, "northwind.test", "account_name"),
        ({"account_name": "Nobody Knows It", "customer_id": "C-alpha.test"}, "alpha.test", "customer_id"),
    ],
)
def test_the_first_key_that_fits_counts(row: dict[str, str], found: str, how: str) -> None:
    matcher = AccountMatcher(ACCOUNTS)
    assert matcher.match(EMPTY | row) == f"id-{found}"
    assert dict(matcher.n_matched) == {how: 1}


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        ({"account_name": "Alpha Works"}, "account_name", "ambiguous, it fits alpha.test and alpha2.test"),
        ({"tenant_id": "T-shared"}, "tenant_id", "ambiguous"),
        ({"domain": "other.test"}, "domain", "is no account's domain"),
        ({"domain": "siemens.test", "customer_id": "C-alpha.test"}, "customer_id", "another account"),
        ({"account_name": "Unheard Of"}, "account_name", "is like no account's name"),
    ],
)
def test_what_cannot_be_told_is_said(row: dict[str, str], column: str, reason: str) -> None:
    with pytest.raises(NoMatchError, match=reason) as told:
        AccountMatcher(ACCOUNTS).match(EMPTY | row)
    assert told.value.column == column
