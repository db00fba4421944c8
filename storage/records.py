"""The nouns of the engine, one frozen record per table row (``Account`` ↔ ``accounts``).

``_at`` is a UTC time in ISO 8601 with seconds and a final ``Z``; ``_on`` a date ``YYYY-MM-DD``; units stand in names. Unknown is None, never 0.
Keys (``…_id``) are hashes of natural keys (storage.ids), so storing a record twice leaves one row.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

# ---- the operator's book ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Account:
    """A company the operator sells to or might; its domain is its natural key."""

    account_id: str
    domain: str
    account_name: str
    customer_id: str | None
    tenant_id: str | None
    duns_number: str | None
    partner_global_id: str | None
    attributes: str | None  # JSON object: the columns of the import that we have no name for
    observed_on: str


@dataclass(frozen=True, slots=True)
class Firmographics:
    """What one source said of a company from a day on; a changed value is a new row."""

    firmographics_id: str
    account_id: str
    source: str
    observed_on: str
    employees: int | None
    annual_revenue_usd: float | None
    industry: str | None
    vertical: str | None
    area: str | None
    subsidiary: str | None
    sales_territory: str | None
    city: str | None
    state: str | None
    postal_code: str | None
    country: str | None  # ISO 3166-1 alpha-2
    founded_year: int | None
    is_nonprofit: int | None


@dataclass(frozen=True, slots=True)
class Partner:
    """A reseller; its users may see the accounts that transacted with it."""

    partner_global_id: str
    partner_name: str


@dataclass(frozen=True, slots=True)
class Subscription:
    """A licence or service an account holds for a span of time."""

    subscription_id: str
    account_id: str
    partner_global_id: str | None
    product: str
    sku: str | None
    seats: int | None
    started_on: str
    ends_on: str | None
    status: str | None
    agreement_id: str | None
    license_program: str | None


@dataclass(frozen=True, slots=True)
class Transaction:
    """A purchase."""

    transaction_id: str
    account_id: str
    partner_global_id: str | None
    product: str
    sku: str | None
    amount_usd: float
    transacted_on: str
    is_end_of_support: int | None


@dataclass(frozen=True, slots=True)
class Opportunity:
    """A deal and, once closed, its outcome: won or lost; before that it is open."""

    opportunity_id: str
    account_id: str
    partner_global_id: str | None
    product: str
    created_on: str
    closed_on: str | None
    outcome: str
    amount_usd: float | None


# ---- collected -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DomainPing:
    """One look at a domain: what DNS, TLS and the home page answered."""

    ping_id: str
    account_id: str
    domain: str
    pinged_at: str
    state: str  # live, moved, parked, blocked_by_robots, error, dead
    http_status: int | None
    final_url: str | None
    n_redirects: int | None
    latency_ms: float | None
    tls_issuer: str | None
    tls_expires_on: str | None
    addresses: str | None  # JSON arrays of what DNS says
    nameservers: str | None
    mail_exchangers: str | None
    txt_records: str | None
    server: str | None
    generator: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class TechnologyObservation:
    """A technology seen at an account, from first to last sight; one that comes back after it was retired is a new observation."""

    observation_id: str
    account_id: str
    technology: str
    category: str
    evidence: str  # what was seen, at the latest sight
    first_seen_on: str
    last_seen_on: str
    version: str | None
    source: str  # page, header, cookie, certIssuer or a type of DNS record
    is_eventful: int  # its coming and going is worth an event
    is_baseline: int  # seen at the first look, so that nobody knows since when
    legacy: str | None  # why it counts as end-of-support or on-premises software
    n_misses: int  # looks in a row that did not see it
    retired_on: str | None  # the second of them
    first_page_id: str | None  # the archived profile that showed it first, and the latest one that spoke of it
    last_page_id: str | None


@dataclass(frozen=True, slots=True)
class Source:
    """A place where an account publishes: its feed, blog, newsroom, careers page or sitemap."""

    source_id: str
    account_id: str
    kind: str  # feed, sitemap, blog, newsroom, careers
    url: str
    found_on: str  # the URL it was found on
    first_seen_at: str
    checked_at: str | None  # None until it was fetched
    etag: str | None
    last_modified: str | None
    revisit_hours: float | None = None  # how long it may rest, by how often it changed so far
    content_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One archived response. The archive holds its bytes; the same bytes from the same URL are one page."""

    page_id: str
    account_id: str | None  # None: archived from a site that is no account's (yet)
    domain: str
    url: str
    kind: str  # home, profile, listing, feed, sitemap, article, job, posts, other
    http_status: int
    content_type: str | None
    content_hash: str
    warc_file: str
    warc_offset: int
    fetched_at: str
    checked_at: str
    published_hint: str | None  # the date its feed or sitemap gave it
    etag: str | None
    last_modified: str | None


@dataclass(frozen=True, slots=True)
class SitePolicy:
    """What a site says of the use of its texts, beyond robots.txt."""

    account_id: str
    tdm_rules: str  # JSON array of [path pattern, is it reserved], from /.well-known/tdmrep.json
    ai_txt: str | None  # the beginning of /ai.txt, kept for the operator to read
    read_at: str


@dataclass(frozen=True, slots=True)
class FrontierUrl:
    """A page that was found and waits to be fetched; the crawl's memory, so that a killed crawl goes on where it stood."""

    frontier_id: str
    account_id: str
    url: str
    kind: str  # article, job
    published_hint: str | None
    found_on: str
    found_at: str
    state: str  # due, done, failed
    tried_at: str | None
    n_tries: int


# ---- understood ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Document:
    """What a page says: its title and main text."""

    document_id: str
    page_id: str
    account_id: str | None
    url: str
    canonical_url: str | None
    kind: str  # article, service, forum, listing, documentation, product, job, other
    title: str | None
    text: str
    language: str | None
    published_on: str | None
    published_source: str | None  # feed, jsonld, meta, url, text
    observed_at: str
    extractor_version: str
    text_key: str | None = None  # the same for the same title, text and date of publication


@dataclass(frozen=True, slots=True)
class SignalEvent:
    """A dated happening at an account that may lead to a purchase, with the sentence that says so."""

    event_id: str
    account_id: str
    document_id: str
    event_type: str
    subtype: str | None
    polarity: int  # 1 for, -1 against the account's health
    status: str  # planned, announced, completed, rumoured
    role: str  # subject, other_party
    stance: str  # buyer, seller
    occurred_on: str
    date_precision: str  # day, month, quarter, year
    date_source: str  # text, publication, observation
    observed_at: str
    quote: str
    quote_start: int  # character offsets in the document's text; -1 when the title is quoted
    quote_end: int
    confidence: float
    extractor_version: str
    duplicate_of: str | None
    details: str | None = None  # JSON object: amount, headcount, place, product, certificate, round, where the quote names them


@dataclass(frozen=True, slots=True)
class EventFeedback:
    """What a reader said of an event: wrong events are neither scored nor reported from that day on. The latest word counts."""

    feedback_id: str
    event_id: str  # of the event that stands for the happening; kept also while no extractor finds it
    account_id: str
    verdict: str  # wrong, right
    reason: str | None
    given_on: str
    sequence: int  # of the words on one event


@dataclass(frozen=True, slots=True)
class Failure:
    """What could not be done, kept so that nothing vanishes."""

    failure_id: str
    stage: str  # ping, crawl, ingest, extract, classify
    subject: str  # the URL, page or file it is about
    account_id: str | None
    reason: str
    detail: str
    failed_at: str


# ---- scored ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ScoringRun:
    """One scoring of the whole book as of a date."""

    run_id: str
    as_of: str
    matrix: str
    model_version: str
    n_accounts: int
    catalogue_hash: str
    code_version: str


@dataclass(frozen=True, slots=True)
class FitScore:
    """How like the operator's best customers an account is, 0–100; None is not scored."""

    run_id: str
    account_id: str
    product: str
    score: float | None
    contributions: str  # JSON array of {feature, value, points}; base and points add up to the score
    model_id: str | None


@dataclass(frozen=True, slots=True)
class SignalScore:
    """How strongly an account's recent events point to a purchase, 0–100; None is not looked at."""

    run_id: str
    account_id: str
    product: str
    score: float | None
    contributions: str  # JSON array of {event_id, type, points}; points add up to the score
    n_events: int


@dataclass(frozen=True, slots=True)
class ClusterAssignment:
    """Where an account stands in the matrix for a product."""

    run_id: str
    account_id: str
    product: str
    fit_band: str | None
    signals_band: str | None
    segment: str | None
    cluster: str
    potential_revenue_low_usd: float | None
    potential_revenue_high_usd: float | None


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A fitted model, whole: what it was trained on and its parameters as JSON."""

    model_id: str
    kind: str  # fit, signals
    product: str  # ALL_PRODUCTS for the fit model of customers of any product
    trained_as_of: str
    trained_from: str  # the first day of the outcomes learned from
    n_positive: int
    n_other: int
    data_hash: str
    seed: int
    verdict: str  # ready, ok, not_ready
    metrics: str  # JSON object
    parameters: str


@dataclass(frozen=True, slots=True)
class ModelRelease:
    """Which model is in use from a day on; the last release by day and sequence counts."""

    release_id: str
    kind: str
    product: str
    model_id: str | None  # None: none is fit to be used; signals then use the catalogue's weights, fit the model of all products
    released_on: str
    sequence: int
    reason: str


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """How far a feature of the scored book lies from the book its model was trained on.

    Values and coverage apart: a crawl that begins to know something of more accounts has not changed the accounts.
    """

    run_id: str
    product: str
    feature: str
    psi: float  # population stability index of the known values, beyond what chance would show
    known_before: float | None  # share of the accounts of which it was known
    known_now: float | None


@dataclass(frozen=True, slots=True)
class RunModels:
    """The models that scored a product in a run; None: no fit model, or the catalogue's weights."""

    run_id: str
    product: str
    fit_model_id: str | None
    weights_model_id: str | None


@dataclass(frozen=True, slots=True)
class ClusterMovement:
    """An account that left its segment since the run before, and what moved it."""

    run_id: str
    account_id: str
    product: str
    from_segment: str | None
    from_cluster: str
    to_segment: str | None
    to_cluster: str
    cause: str  # event, firmographic, model, coverage; the steps that changed the segment, joined by " and "


@dataclass(frozen=True, slots=True)
class NextWorkload:
    """A product that accounts with the same products took next, and the share of them that took this one."""

    run_id: str
    account_id: str
    product: str
    share: float


@dataclass(frozen=True, slots=True)
class CohortMember:
    """An account that belongs to a cohort of the catalogue as of a scoring run."""

    run_id: str
    account_id: str
    cohort: str
    value: str


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a validation found, whole, as JSON."""

    card_id: str
    as_of: str
    content: str


@dataclass(frozen=True, slots=True)
class ReportRun:
    """A report that was written."""

    report_id: str
    report: str
    run_id: str
    partner_global_id: str | None
    file_format: str
    n_rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class JobRun:
    """One run of a job: what an operator and a monitor want to know of it. ``figures`` is JSON; ``state`` is running, done, failed or died."""

    job_run_id: str
    job: str
    started_at: str
    ended_at: str | None
    state: str
    process: int
    figures: str
    error: str | None


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file outside the store that holds rows of it, so that forgetting finds it again."""

    path: str
    sha256: str
    written_at: str


Record = (
    Account
    | Firmographics
    | Partner
    | Subscription
    | Transaction
    | Opportunity
    | DomainPing
    | TechnologyObservation
    | Source
    | Page
    | SitePolicy
    | FrontierUrl
    | Document
    | SignalEvent
    | EventFeedback
    | Failure
    | ScoringRun
    | FitScore
    | SignalScore
    | ClusterAssignment
    | ModelVersion
    | ModelRelease
    | FeatureDrift
    | RunModels
    | ClusterMovement
    | NextWorkload
    | CohortMember
    | ModelCard
    | ReportRun
    | JobRun
    | WrittenFile
)

# Table and primary key of each record.
TABLES: dict[type, tuple[str, tuple[str, ...]]] = {
    Account: ("accounts", ("account_id",)),
    Firmographics: ("firmographics", ("firmographics_id",)),
    Partner: ("partners", ("partner_global_id",)),
    Subscription: ("subscriptions", ("subscription_id",)),
    Transaction: ("transactions", ("transaction_id",)),
    Opportunity: ("opportunities", ("opportunity_id",)),
    DomainPing: ("domain_pings", ("ping_id",)),
    Source: ("sources", ("source_id",)),
    Page: ("pages", ("page_id",)),
    TechnologyObservation: ("technology_observations", ("observation_id",)),
    SitePolicy: ("site_policies", ("account_id",)),
    FrontierUrl: ("frontier_urls", ("frontier_id",)),
    Document: ("documents", ("document_id",)),
    SignalEvent: ("signal_events", ("event_id",)),
    EventFeedback: ("event_feedback", ("feedback_id",)),
    Failure: ("failures", ("failure_id",)),
    ScoringRun: ("scoring_runs", ("run_id",)),
    FitScore: ("fit_scores", ("run_id", "account_id", "product")),
    SignalScore: ("signal_scores", ("run_id", "account_id", "product")),
    ClusterAssignment: ("cluster_assignments", ("run_id", "account_id", "product")),
    ModelVersion: ("model_versions", ("model_id",)),
    ModelRelease: ("model_releases", ("release_id",)),
    FeatureDrift: ("feature_drift", ("run_id", "product", "feature")),
    RunModels: ("run_models", ("run_id", "product")),
    ClusterMovement: ("cluster_movements", ("run_id", "account_id", "product")),
    NextWorkload: ("next_workloads", ("run_id", "account_id", "product")),
    CohortMember: ("cohort_members", ("run_id", "cohort", "account_id")),
    ModelCard: ("model_cards", ("card_id",)),
    ReportRun: ("report_runs", ("report_id",)),
    JobRun: ("job_runs", ("job_run_id",)),
    WrittenFile: ("written_files", ("path",)),
}


def as_row(record: Record) -> dict[str, Any]:
    """The record as a table row."""
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
