"""The five files of the operator's book: which columns each has, which are required, how each is checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from intake import values

Check = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file. ``one_of`` lists columns of which every row needs at least one."""

    name: str
    columns: Mapping[str, Check]
    required: tuple[str, ...]
    one_of: tuple[str, ...] = ()


_ACCOUNT_KEY: dict[str, Check] = {"domain": values.domain, "customer_id": values.identifier, "partner_global_id": values.identifier}

KINDS: dict[str, Kind] = {
    "accounts": Kind(
        "accounts",
        {
            "account_name": values.name,
            "domain": values.domain,
            "customer_id": values.identifier,
            "tenant_id": values.tenant,
            "duns_number": values.duns,
            "partner_global_id": values.identifier,
            "employees": values.count,
            "annual_revenue_usd": values.decimal,
            "industry": values.text,
            "vertical": values.text,
            "area": values.text,
            "subsidiary": values.text,
            "sales_territory": values.text,
            "city": values.text,
            "state": values.text,
            "postal_code": values.text,
            "country": values.country,
            "founded_year": values.year,
            "is_nonprofit": values.boolean,
        },
        required=("account_name", "domain"),
    ),
    "partners": Kind(
        "partners", {"partner_global_id": values.identifier, "partner_name": values.name}, required=("partner_global_id", "partner_name")
    ),
    "subscriptions": Kind(
        "subscriptions",
        _ACCOUNT_KEY
        | {
            "product": values.name,
            "sku": values.text,
            "seats": values.count,
            "started_on": values.iso_date,
            "ends_on": values.iso_date,
            "status": values.text,
            "agreement_id": values.identifier,
            "license_program": values.text,
        },
        required=("product", "started_on"),
        one_of=("domain", "customer_id"),
    ),
    "transactions": Kind(
        "transactions",
        _ACCOUNT_KEY
        | {
            "product": values.name,
            "sku": values.text,
            "amount_usd": values.signed_decimal,
            "transacted_on": values.iso_date,
            "is_end_of_support": values.boolean,
        },
        required=("product", "amount_usd", "transacted_on"),
        one_of=("domain", "customer_id"),
    ),
    "opportunities": Kind(
        "opportunities",
        _ACCOUNT_KEY
        | {
            "account_name": values.name,
            "tenant_id": values.tenant,
            "product": values.name,
            "created_on": values.iso_date,
            "closed_on": values.iso_date,
            "outcome": values.one_of("won", "lost", "open"),
            "amount_usd": values.decimal,
        },
        required=("product", "created_on", "outcome"),
        one_of=("domain", "account_name", "customer_id", "tenant_id"),
    ),
}
