"""Linguistic cues: what the wording says of an event's status, of the writer's stance, and of when it happened."""

from __future__ import annotations

import re

_PLANNED = re.compile(
    r"\b(will|plans? to|planning to|intends? to|is set to|are set to|is due|expects? to|aims? to|to be (completed|opened|built)|going to|"
    r"scheduled|slated|upcoming|by the end of|proposed|starts? (on|in)|from (january|february|march|april|may|june|july|august|september|october|november|december))\b",
    re.IGNORECASE,
)
_RUMOURED = re.compile(
    r"\b(reportedly|rumou?r(s|ed)?|sources (say|close)|is said to|in talks|considering (a|the) (sale|bid|offer)|according to (media|press) reports)\b",
    re.IGNORECASE,
)
_COMPLETED = re.compile(
    r"\b(has|have|had|was|were|completed|opened|closed|went live|finished|moved|passed|achieved|received|won|joined|appointed|acquired|"
    r"launched|released|signed|switched|replaced|raised|since|now live|today (we )?(opened|launched))\b",
    re.IGNORECASE,
)
# An event that is only supposed.
_SUPPOSED = re.compile(
    r"\b(imagine|suppose|what if|what would|hypothetical|if (you|we|your|our|a|they) (were|was|had|ever|get|are)|could one day|let's say|picture this)\b",
    re.IGNORECASE,
)
# The writer sells to others what the event would be the use of.
_SELLERS = re.compile(
    r"\b(?:we|our (?:team|experts|consultants|engineers|specialists|services?)) (?:can |also |will |regularly |often )*(?:help|helps|support|advise|assist|guide|enable|offer|offers|deliver)s?\b"
    r".{0,40}\b(?:clients?|customers?|companies|businesses|organi[sz]ations|firms|teams|you|your)\b|"
    r"\b(?:book|request|schedule) (?:a|your) (?:free )?(?:demo|call|consultation|assessment)\b|\bfor your (?:business|company|organi[sz]ation|team)\b|"
    r"\b(?:moving|migrating|upgrading|switching|replacing) your\b|\bhow we do (?:it|this|that)\b",
    re.IGNORECASE,
)
_SOLD = frozenset(
    "tech_adopted tech_retired cloud_migration business_system_project workplace_change compliance_milestone security_incident".split()
)
_PLANNED_PAUSE = re.compile(r"\b(?:scheduled|planned|maintenance (?:window|work)|for maintenance)\b", re.IGNORECASE)
_VACANCY = re.compile(
    r"\b(?:hir(?:e|es|ing)|vacanc(?:y|ies)|vacant|positions?|openings?|roles?|recruit\w*|jobs?|apply|applications?|candidates?|join (?:us|our|the)|"
    r"(?:looking|searching|advertising) for|we (?:seek|need|are seeking|want)|wanted|m/w/d|[fm]/[fm]/[dx])\b",
    re.IGNORECASE,
)
_PATCH_VERSION = re.compile(r"\b\d+\.\d+\.[1-9]\d*\b")


def status_of(sentence: str) -> str:
    """``rumoured``, ``planned``, ``completed`` or ``announced``, as the sentence words it.

    >>> status_of("We will open a branch in Leeds"), status_of("We have opened a branch in Leeds")
    ('planned', 'completed')
    """
    if _RUMOURED.search(sentence):
        return "rumoured"
    if _PLANNED.search(sentence):
        return "planned"
    if _COMPLETED.search(sentence):
        return "completed"
    return "announced"


def is_supposed(sentence: str) -> bool:
    """Whether the sentence only imagines what it tells."""
    return bool(_SUPPOSED.search(sentence))


def is_sellers(event_type: str, sentence: str) -> bool:
    """Whether the sentence offers others what it seems to tell of the account itself.

    >>> is_sellers("cloud_migration", "We help mid-sized companies move to Azure."), is_sellers("cloud_migration", "We have moved to Azure.")
    (True, False)
    """
    return event_type in _SOLD and bool(_SELLERS.search(sentence))


def speaks_of_vacancy(sentence: str) -> bool:
    """Whether the sentence offers a position.

    >>> speaks_of_vacancy("We are hiring a controller who knows SAP."), speaks_of_vacancy("He asked whether to buy SAP or Navision.")
    (True, False)
    """
    return bool(_VACANCY.search(sentence))


def is_routine(event_type: str, sentence: str) -> bool:
    """Whether the sentence tells of the everyday look-alike of an event: a pause that is planned, a release that only patches, customers who merge.

    >>> is_routine("security_incident", "The portal will be unavailable from 12 to 16 August."), is_routine("product_launch", "We released 4.31.2.")
    (True, True)
    """
    if event_type == "security_incident":
        return status_of(sentence) == "planned" or bool(_PLANNED_PAUSE.search(sentence))
    if event_type == "customer_win":  # that customers merge is their news
        return bool(re.search(r"\bmerg(?:e|es|ed|er|ing)\b", sentence, re.IGNORECASE))
    if event_type == "event_participation":  # of a ship or a product
        return bool(re.search(r"\blaunch day\b", sentence, re.IGNORECASE))
    if event_type == "product_launch":
        return bool(_PATCH_VERSION.search(sentence)) and not re.search(r"\b\d+\.0\b|\b\d+\.\d+\.0\b", sentence)
    return False
