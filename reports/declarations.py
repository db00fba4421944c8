"""The five reports, and the clusters for a CRM: which areas, cohorts and further columns each shows.

A report is a declaration; reports.writing does the work.
"""

from __future__ import annotations

from dataclasses import dataclass

from storage.catalogue import Catalogue

COMMON_COLUMNS = (
    "GlobalID", "PartnerName", "CustomerID", "CustomerTenantID", "DUNSNumber", "AccountName", "Domain", "OrgSize", "Industry", "Vertical", "Area",
    "Subsidiary", "SalesTerritory", "City", "State", "PostalCode", "Country", "Segment", "SubSegment", "SMECTypeSummary", "IsNonprofit",
)  # fmt: skip
# Behind the name of the area.
AREA_COLUMNS = (
    "Fit",
    "BuyingSignals",
    "Cluster",
    "Segment",
    "FitScore",
    "SignalsScore",
    "Reasons",
    "PotentialRevenueLow",
    "PotentialRevenueHigh",
    "EvidenceUrls",
)
TAIL_COLUMNS = (
    "Promos", "HasAzure", "HasD365", "HasM365", "HasGoogle", "HasAWS", "HasEA", "HasOpen", "HasTransactedEOSProduct", "Coverage", "AsOf", "ModelVersion",
    "TransactedInLast36Months",
)  # fmt: skip
AGREEMENT_COLUMNS = ("LicenseProgram", "AgreementID", "AgreementEndDate", "ExpirationType", "ExpiringRevenue", "RevSumDivisionName")
# As `import opportunities` reads them, in the order it matches by, so that what a CRM gave and what it gets are keyed alike.
CRM_KEYS = ("domain", "account_name", "customer_id", "tenant_id")
WORKLOAD_COLUMNS = ("ExistingWorkloads", "RecommendedNextWorkloads")


@dataclass(frozen=True, slots=True)
class Report:
    """A report. An account has one row, in the renewal report one per agreement that runs out."""

    name: str
    title: str
    areas: tuple[str, ...]
    extra_columns: tuple[str, ...] = ()
    per_agreement: bool = False
    common_columns: tuple[str, ...] = COMMON_COLUMNS
    area_columns: tuple[str, ...] = AREA_COLUMNS
    tail_columns: tuple[str, ...] = TAIL_COLUMNS

    def columns(self, catalogue: Catalogue) -> tuple[str, ...]:
        """All column names in order."""
        areas = tuple(f"{area}{column}" for area in self.areas for column in self.area_columns)
        return (*self.common_columns, *self.extra_columns, *areas, *self.cohort_columns(catalogue), *self.tail_columns)

    def cohort_columns(self, catalogue: Catalogue) -> tuple[str, ...]:
        """The cohort columns that the catalogue assigns to this report, each once, in the catalogue's order."""
        return tuple(dict.fromkeys(cohort.column for cohort in catalogue.cohorts if self.name in cohort.reports))


REPORTS: dict[str, Report] = {
    report.name: report
    for report in (
        Report(
            "agreement-renewal", "Agreement renewal propensity", ("Azure", "D365BC", "M365", "M365_CoPilot", "Surface"), AGREEMENT_COLUMNS, per_agreement=True
        ),
        Report("cloud-ai-platform", "Cloud & AI Platform propensity", ("Azure",), WORKLOAD_COLUMNS),
        Report("ai-business-solutions", "AI Business Solutions propensity", ("M365", "M365_CoPilot", "D365BC", "Surface")),
        Report("security", "Security propensity", ("M365", "Azure")),
        Report("surface", "Surface propensity", ("Surface", "M365")),
        Report(
            "crm-clusters", "Clusters for a CRM", ("Azure", "D365BC", "M365", "M365_CoPilot", "Surface"), common_columns=CRM_KEYS,
            area_columns=("Cluster", "Segment", "FitScore", "SignalsScore"), tail_columns=("AsOf",),
        ),
    )
}  # fmt: skip

# What each column means, for the definitions that go with a report.
DEFINITIONS: dict[str, str] = {
    "GlobalID": "Partner's global id.",
    "PartnerName": "Partner's name.",
    "CustomerID": "Customer id of the operator's records.",
    "CustomerTenantID": "Tenant id (UUID).",
    "DUNSNumber": "D-U-N-S number, nine digits.",
    "AccountName": "Company name.",
    "Domain": "Company domain; the first key to match a CRM by.",
    "OrgSize": "Employees, banded.",
    "Industry": "Industry.",
    "Vertical": "Finer industry.",
    "Area": "Sales area.",
    "Subsidiary": "Sales subsidiary.",
    "SalesTerritory": "Sales territory.",
    "City": "City.",
    "State": "State or province.",
    "PostalCode": "Postal code.",
    "Country": "ISO 3166-1 alpha-2 code.",
    "Segment": "Customer segment: SMB.",
    "SubSegment": "Small, Medium or Upper Medium business, by employees.",
    "SMECTypeSummary": "Segment and sub-segment in one.",
    "IsNonprofit": "Yes, No, or empty when unknown.",
    "Fit": "Band of the fit score: High, Medium, Low, Very low; Not scored without firmographics or model.",
    "BuyingSignals": "Band of the signal score; Not scored when no source of the account was seen in the last quarter.",
    "Cluster": "Act now, Evaluate, Nurture, Educate, or Not scored.",
    "FitScore": "0-100: how like the operator's customers of the product; empty when not scored.",
    "SignalsScore": "0-100: strength of recent events for the product; empty when not scored.",
    "Reasons": "The strongest reasons in words, with their points.",
    "PotentialRevenueLow": "US dollars a year that a quarter of similar customers stay below.",
    "PotentialRevenueHigh": "US dollars a year that a quarter of similar customers exceed.",
    "EvidenceUrls": "Pages the quoted events stand on.",
    "Promos": "Promotions the account is eligible for; empty until an operator's data names them.",
    "HasAzure": "Azure bought in the last 36 months, or subscribed to.",
    "HasD365": "Dynamics 365 bought in the last 36 months, or subscribed to.",
    "HasM365": "Microsoft 365 bought in the last 36 months, or subscribed to.",
    "HasGoogle": "A Google cloud or workplace product bought in the last 36 months, or subscribed to.",
    "HasAWS": "An AWS product bought in the last 36 months, or subscribed to.",
    "HasEA": "An Enterprise Agreement in the last 36 months.",
    "HasOpen": "An Open licence in the last 36 months.",
    "HasTransactedEOSProduct": "Ever bought a product that is now out of support.",
    "Coverage": "looked at (n pages), or not looked at.",
    "AsOf": "Only what was known by the end of this day was used.",
    "ModelVersion": "Key of the fit models used.",
    "TransactedInLast36Months": "Yes or No.",
    "LicenseProgram": "Programme of the agreement.",
    "AgreementID": "Agreement number.",
    "AgreementEndDate": "When it runs out.",
    "ExpirationType": "Expired, within 90 days, within 12 months, later.",
    "ExpiringRevenue": "US dollars transacted for the agreement's product in the 12 months before the date.",
    "RevSumDivisionName": "Product of the agreement.",
    "domain": "Company domain; the first key to match by.",
    "account_name": "Company name; the second, compared loosely.",
    "customer_id": "Customer id of the operator's records; the third.",
    "tenant_id": "Tenant id; the last.",
    "ExistingWorkloads": "Products of the catalogue the account has.",
    "RecommendedNextWorkloads": "Products it has not, strongest cluster first.",
}
