"""Writes the sample operator's book, ``examples/book/*.csv``: ``python -m examples.book``.

The 61 companies of the sample world and 620 more that have no site here. Who buys what follows a process that is written down below, so that
there is something to learn and a way to check that it was learned: a purchase of a product becomes likelier with the traits of ``TASTES``
(fit), and a deal is won the likelier, the better the fit and the more the account's events of the months before speak for the product (signals).
Noise is added to both. All companies, partners and figures are invented.
"""

from __future__ import annotations

import csv
import math
import random
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from examples.world.companies import TODAY, Company, load_companies

FOLDER = Path(__file__).with_name("book")
SEED = 20261101
N_WITHOUT_SITE = 620
FIRST_DAY = date(2023, 11, 1)
NAME_NOISE = 0.6  # standard deviation of what nobody can know about an account's taste
SIGNAL_GAIN = 0.45  # log-odds of a deal per unit of weighted events in the 180 days before it

# Log-odds of owning a product: (base, per factor of e in employees over 100, by industry, by mail system).
TASTES: Mapping[str, tuple[float, float, Mapping[str, float], Mapping[str, float]]] = {
    "Azure": (-1.4, 0.5, {"Software and IT services": 1.6, "Biotech": 1.2, "Media": 0.8, "Energy": 0.5, "Hospitality": -1.2, "Construction": -0.8},
              {"microsoft": 0.5, "own": 0.2}),
    "M365": (0.3, 0.35, {"Professional services": 0.8, "Legal services": 0.8, "Financial services": 0.7, "Public sector services": 0.6,
                         "Media": -0.6, "Software and IT services": -0.4}, {"microsoft": 1.6, "google": -1.5}),
    "M365_CoPilot": (-2.2, 0.3, {"Professional services": 1.4, "Legal services": 1.2, "Software and IT services": 1.0, "Financial services": 0.9,
                                 "Manufacturing": -0.7, "Food and agriculture": -1.0}, {"microsoft": 0.9, "google": -0.8}),
    "D365BC": (-1.9, 0.55, {"Manufacturing": 1.5, "Food and agriculture": 1.2, "Logistics": 1.0, "Retail": 0.9, "Construction": 0.7,
                            "Legal services": -1.5, "Education": -1.0}, {"microsoft": 0.4}),
    "Surface": (-1.8, 0.3, {"Health care": 1.2, "Education": 1.1, "Construction": 0.9, "Professional services": 0.6, "Manufacturing": -0.3},
                {"microsoft": 0.3}),
    "Security": (-1.7, 0.4, {"Financial services": 1.5, "Health care": 1.1, "Legal services": 0.8, "Energy": 0.8, "Hospitality": -0.8},
                 {"microsoft": 0.8}),
}  # fmt: skip
# How strongly an event type speaks for a product in this world. Close to the catalogue's priors, but not equal: there is something to learn.
EFFECTS: Mapping[str, Mapping[str, float]] = {
    "Azure": {"cloud_migration": 3.0, "funding_round": 2.0, "ai_initiative": 2.0, "tech_retired": 1.5, "hiring_cloud_infra": 3.0, "product_launch": 0.5},
    "M365": {"headcount_growth": 2.5, "acquisition_made": 2.5, "new_location": 2.0, "workplace_change": 2.5, "it_leadership_change": 2.0, "headcount_reduction": -2.0},
    "M365_CoPilot": {"ai_initiative": 3.0, "business_leadership_change": 1.5, "headcount_growth": 1.0, "hiring_data_ai": 2.0},
    "D365BC": {"business_system_project": 3.0, "acquisition_made": 2.0, "facility_expansion": 2.0, "market_expansion": 1.5, "hiring_finance_erp": 3.0},
    "Surface": {"new_location": 2.5, "headcount_growth": 2.5, "workplace_change": 3.0, "headcount_reduction": -2.0},
    "Security": {"security_incident": 3.0, "compliance_milestone": 2.0, "it_leadership_change": 2.0, "hiring_security": 3.0},
}  # fmt: skip
# product area → (product, SKU, dollars a year per seat or, for None, per account).
OFFERS: Mapping[str, Sequence[tuple[str, str, float | None]]] = {
    "Azure": (("Azure", "Azure consumption", None), ("Azure", "Azure SQL Database", None)),
    "M365": (("Microsoft 365 Business Standard", "CFQ7TTC0LDPB", 150.0), ("Microsoft 365 Business Premium", "CFQ7TTC0LCHC", 264.0),
             ("Microsoft 365 E3", "CFQ7TTC0LFLX", 432.0), ("Microsoft 365 E5", "CFQ7TTC0LFLZ", 684.0)),
    "M365_CoPilot": (("Microsoft 365 Copilot", "CFQ7TTC0MM8R", 360.0),),
    "D365BC": (("Dynamics 365 Business Central", "Essentials", 840.0), ("Dynamics 365 Business Central", "Premium", 1200.0)),
    "Surface": (("Surface Laptop", "ZGM-00022", 1200.0), ("Surface Pro", "EP2-00008", 1100.0)),
    "Security": (("Microsoft Defender for Business", "CFQ7TTC0J1GB", 36.0), ("Microsoft Entra ID P1", "CFQ7TTC0LFLS", 72.0),
                 ("Microsoft Intune Plan 1", "CFQ7TTC0LCH4", 96.0)),
}  # fmt: skip
RETIRED = (("Windows Server 2012 R2 Standard", "P73-06285"), ("SQL Server 2014 Standard", "228-10344"), ("Exchange Server 2016", "312-04349"),
           ("Dynamics NAV 2016", "NAV-2016"), ("Office 2016 Professional Plus", "79P-05552"))  # fmt: skip
PARTNERS = (("4100117", "Tallow Street Systems"), ("4100262", "Grünanger IT"), ("4100388", "Ledbury & Moss Cloud"), ("4100455", "Sundarban Digital"),
            ("4100590", "Waratah Workplace"))  # fmt: skip
_AREAS = {"US": "North America", "CA": "North America", "MX": "Latin America", "BR": "Latin America", "GB": "Western Europe", "IE": "Western Europe",
          "FR": "Western Europe", "ES": "Western Europe", "IT": "Western Europe", "NL": "Western Europe", "DE": "Germany", "PL": "Central Europe",
          "SE": "Nordics", "ZA": "Africa", "KE": "Africa", "NG": "Africa", "AE": "Middle East", "IN": "India", "SG": "South-East Asia", "JP": "Japan",
          "AU": "Australia and New Zealand", "NZ": "Australia and New Zealand"}  # fmt: skip
_FIRST = """Alder Amber Arden Ashby Barrow Beacon Birch Blackthorn Bramble Brindle Caldera Cedar Cinder Clover Cobalt Copper Coral Crane Dunmore Ember
Fallow Fenwick Flint Foxglove Garnet Gorse Granite Hartwell Hawthorn Hazel Heron Holm Indigo Ivory Juniper Kelso Kestrel Larch Linden Lowland Marlow
Meridian Millbrook Moorland Nettle Northfold Oakhurst Ochre Osier Pelham Peregrine Pinecrest Quarry Quill Redfern Riverbend Rowan Saffron Saltgrass
Sedge Sorrel Stonebridge Tamarind Teal Thistle Tidewater Umber Valley Verdant Wexford Willow Winterbourne Wren Yarrow""".split()
_SECOND = {
    "Manufacturing": "Castings Fittings Tooling Plastics Pumps Valves Bearings Metalworks", "Health care": "Clinics Dental Care Physiotherapy Optics",
    "Financial services": "Capital Savings Credit Brokers Insurance", "Logistics": "Freight Haulage Warehousing Couriers Shipping",
    "Food and agriculture": "Farms Dairies Mills Bakeries Orchards", "Software and IT services": "Software Systems Data Labs Hosting",
    "Construction": "Builders Joinery Civils Roofing Interiors", "Retail": "Outfitters Homewares Books Grocers Cycles", "Legal services": "Law Solicitors Chambers Notaries",
    "Energy": "Energy Solar Wind Grid", "Media": "Press Radio Pictures Publishing", "Biotech": "Biologics Genetics Therapeutics Diagnostics",
    "Hospitality": "Hotels Inns Catering Resorts", "Professional services": "Advisory Consulting Architects Surveyors", "Public sector services": "Services Works Transit",
    "Education": "College Academy Learning Tutors", "Non-profit": "Trust Foundation Relief",
}  # fmt: skip


@dataclass(frozen=True)
class BookAccount:
    """An account of the book and what decides its purchases."""

    row: dict[str, Any]
    industry: str
    employees: int
    mail: str
    events: Sequence[tuple[str, date]]
    taste: Mapping[str, float]  # log-odds by product area

    @property
    def domain(self) -> str:
        """The key of its rows."""
        return str(self.row["domain"])

    def signal(self, area: str, day: date) -> float:
        """What the events of the 180 days before a day say for a product."""
        return sum(EFFECTS[area].get(kind, 0.0) for kind, when in self.events if day - timedelta(days=180) <= when <= day)


def write_book(folder: Path = FOLDER) -> None:
    """Writes the five files; the same bytes each time."""
    dice = random.Random(SEED)
    accounts = [_from_site(company, dice) for company in load_companies()]
    names = {account.row["account_name"] for account in accounts}
    accounts += [_without_site(dice, names) for _ in range(N_WITHOUT_SITE)]
    subscriptions: list[dict[str, Any]] = []
    transactions: list[dict[str, Any]] = []
    opportunities: list[dict[str, Any]] = []
    for account in accounts:
        _add_old_purchases(account, dice, transactions)
        for area in TASTES:
            _add_history(account, area, dice, subscriptions, transactions, opportunities)
    folder.mkdir(exist_ok=True)
    _write(folder / "partners.csv", ({"partner_global_id": key, "partner_name": name} for key, name in PARTNERS))
    _write(folder / "accounts.csv", (account.row for account in accounts))
    _write(folder / "subscriptions.csv", subscriptions)
    _write(folder / "transactions.csv", transactions)
    _write(folder / "opportunities.csv", opportunities)


def _from_site(company: Company, dice: random.Random) -> BookAccount:
    events = [(event.type, event.occurred_on) for post in company.posts for event in post.events]
    events += [(job.type, job.posted) for job in company.jobs if job.type]
    facts = {
        "employees": company.employees, "annual_revenue_usd": company.annual_revenue_usd, "industry": company.industry, "vertical": company.vertical,
        "city": company.city, "state": company.state, "postal_code": company.postal_code, "country": company.country,
        "founded_year": company.founded_year, "is_nonprofit": "yes" if company.is_nonprofit else "no",
    }  # fmt: skip
    return _account(company.legal_name, company.domain, facts, company.mail, events, dice)


def _without_site(dice: random.Random, names: set[str]) -> BookAccount:
    while True:
        industry = dice.choice(list(_SECOND))
        name = f"{dice.choice(_FIRST)} {dice.choice(_SECOND[industry].split())}"
        if name not in names:
            names.add(name)
            break
    employees = round(math.exp(dice.gauss(4.3, 1.0)))
    country = dice.choice(list(_AREAS))
    facts = {
        "employees": employees, "annual_revenue_usd": round(employees * math.exp(dice.gauss(11.9, 0.5)), -4), "industry": industry, "vertical": "",
        "city": "", "state": "", "postal_code": "", "country": country, "founded_year": dice.randint(1920, 2021),
        "is_nonprofit": "yes" if industry == "Non-profit" else "no",
    }  # fmt: skip
    # Nobody knows everything about everybody.
    for column in ("employees", "annual_revenue_usd", "founded_year"):
        if dice.random() < 0.06:
            facts[column] = ""
    mail = dice.choices(["microsoft", "google", "own", "hosted"], [45, 25, 10, 20])[0]
    events = [(kind, FIRST_DAY + timedelta(days=dice.randrange(1096))) for kind in _all_effects() if dice.random() < 0.12]
    return _account(
        name, name.lower().replace(" ", "") + ".test", {**facts, "employees": facts["employees"]}, mail, events, dice, employees
    )


def _account(
    name: str, domain: str, facts: Mapping[str, Any], mail: str, events: Sequence[tuple[str, date]], dice: random.Random, employees: int = 0
) -> BookAccount:
    size = employees or int(facts["employees"])
    area = _AREAS[str(facts["country"])]
    row = {
        "account_name": name, "domain": domain, "customer_id": f"C-{dice.randrange(10**6):06d}-{len(name):02d}",
        "tenant_id": uuid.UUID(int=dice.getrandbits(128), version=4), "duns_number": f"{dice.randrange(10**9):09d}",
        "partner_global_id": dice.choice(PARTNERS)[0], **facts, "area": area, "subsidiary": facts["country"],
        "sales_territory": f"{area} {'SMB' if size < 300 else 'Upper Medium'}", "crm_owner_team": f"Team {dice.choice('ABCD')}",
    }  # fmt: skip
    taste = {
        product: base
        + slope * math.log(size / 100)
        + industries.get(str(facts["industry"]), 0.0)
        + mails.get(mail, 0.0)
        + dice.gauss(0, NAME_NOISE)
        for product, (base, slope, industries, mails) in TASTES.items()
    }
    return BookAccount(row, str(facts["industry"]), size, mail, events, taste)


def _all_effects() -> list[str]:
    return sorted({kind for effects in EFFECTS.values() for kind in effects})


def _add_old_purchases(account: BookAccount, dice: random.Random, transactions: list[dict[str, Any]]) -> None:
    """Boxed software of the last ten years, now out of support: likelier where the mail server is the company's own."""
    for product, sku in RETIRED:
        if dice.random() < (0.35 if account.mail == "own" else 0.12):
            day = date(2017, 1, 15) + timedelta(days=dice.randrange(2200))
            transactions.append(_transaction(account, product, sku, round(dice.uniform(700, 9000), 2), day, is_end_of_support=True))


def _add_history(
    account: BookAccount,
    area: str,
    dice: random.Random,
    subscriptions: list[dict[str, Any]],
    transactions: list[dict[str, Any]],
    opportunities: list[dict[str, Any]],
) -> None:
    """Three years of one account and product: perhaps a customer from the start, else perhaps a deal or two, won or lost."""
    if dice.random() < 0.45 * _probability(account.taste[area]):
        _buy(account, area, FIRST_DAY - timedelta(days=dice.randrange(30, 1500)), dice, subscriptions, transactions)
        return
    for _ in range(2):
        if dice.random() > 0.38:
            continue
        created = FIRST_DAY + timedelta(days=dice.randrange(1080))
        closed = created + timedelta(days=dice.randrange(20, 150))
        amount = round(_yearly_price(account, area, dice), 2)
        deal: dict[str, Any] = {"domain": account.domain, "product": OFFERS[area][0][0], "created_on": created}
        if closed > TODAY:
            opportunities.append({**deal, "closed_on": "", "outcome": "open", "amount_usd": amount})
            return
        odds = 0.3 + account.taste[area] * 0.9 + SIGNAL_GAIN * account.signal(area, closed) + dice.gauss(0, 0.5)
        is_won = dice.random() < _probability(odds)
        opportunities.append({**deal, "closed_on": closed, "outcome": "won" if is_won else "lost", "amount_usd": amount})
        if is_won:
            _buy(account, area, closed, dice, subscriptions, transactions)
            return


def _buy(
    account: BookAccount, area: str, day: date, dice: random.Random, subscriptions: list[dict[str, Any]], transactions: list[dict[str, Any]]
) -> None:
    product, sku, price = dice.choice(OFFERS[area])
    seats = max(1, round(account.employees * dice.uniform(0.2, 0.9)))
    if area == "Surface":
        transactions.append(_transaction(account, product, sku, round((price or 0) * max(1, seats // 5), 2), day))
        return
    program = dice.choices(["CSP", "Enterprise Agreement", "Open Value"], [80, 12, 8])[0]
    ends = _next_anniversary(day)
    subscriptions.append(
        {
            "domain": account.domain, "product": product, "sku": sku, "seats": seats if price else "", "started_on": day, "ends_on": ends,
            "status": "active", "agreement_id": f"A{dice.randrange(10**7):07d}", "license_program": program,
            "partner_global_id": account.row["partner_global_id"],
        }
    )  # fmt: skip
    yearly = seats * price if price else _yearly_price(account, area, dice)
    paid = day
    while paid <= TODAY:
        if paid >= date(2017, 1, 1):
            transactions.append(_transaction(account, product, sku, round(yearly * dice.uniform(0.9, 1.1), 2), paid))
        paid += timedelta(days=365)


def _yearly_price(account: BookAccount, area: str, dice: random.Random) -> float:
    price = OFFERS[area][0][2]
    return account.employees * (price * 0.5 if price else dice.uniform(60, 420))


def _next_anniversary(day: date) -> date:
    while day <= TODAY:
        day += timedelta(days=365)
    return day


def _transaction(
    account: BookAccount, product: str, sku: str, amount_usd: float, day: date, is_end_of_support: bool = False
) -> dict[str, Any]:
    return {
        "domain": account.domain, "product": product, "sku": sku, "amount_usd": amount_usd, "transacted_on": day,
        "is_end_of_support": "yes" if is_end_of_support else "no", "partner_global_id": account.row["partner_global_id"],
    }  # fmt: skip


def _probability(log_odds: float) -> float:
    return 1 / (1 + math.exp(-log_odds))


def _write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    listed = list(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(listed[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(listed)


if __name__ == "__main__":
    write_book()
