"""Which function a job title belongs to, of those that tell of a purchase ahead. Rules in order: the first that matches decides."""

from __future__ import annotations

import re

# Titles in English with the words other countries use; a rule's second part vetoes it.
RULES: tuple[tuple[str, str, str], ...] = (
    ("hiring_security", r"\b(cyber|information|it|network|cloud|application|data|product|iam|ot) ?-?security\b|\bsecurity (engineer|architect|analyst|operations|researcher|specialist|consultant|compliance)|\b(soc analyst|ciso|pen(etration)? ?tester|threat|vulnerability|identity and access|iam engineer|devsecops|grc analyst|incident response)\b", r"\bguard|officer \(site\)|door|patrol|social security|food security"),
    ("hiring_data_ai", r"\bdata (engineer|scientist|analyst|architect|platform|science|warehouse|governance|steward|lead|analytics)|\b(machine learning|ml|ai|mlops|deep learning|nlp|computer vision|llm|genai|prompt)\b.*\b(engineer|scientist|specialist|lead|architect|developer|researcher|manager|product)|\b(analytics engineer|business intelligence|bi (developer|analyst|engineer|specialist)|power bi|head of (data|ai|analytics)|data & ai|artificial intelligence)", r"\bdata (entry|centre technician|center technician|protection)"),
    ("hiring_finance_erp", r"\b(erp|sap|business central|navision|dynamics (365|nav|ax|gp)|netsuite|oracle (financials|fusion|ebs)|sage|odoo|workday financials|finance systems|financial systems|epicor|infor)\b|\b(financial|finance|group|plant|business|assistant) controller\b|\bcontroller\b(?!.*(air|traffic|quality|document|pest))|\b(accountant|accounts (payable|receivable|assistant)|bookkeeper|finance (manager|director|analyst|lead|business partner|officer)|head of finance|chief financial|payroll|financial analyst|treasury|management accountant|buchhalter)", r"\b(document|quality|air traffic|pest|traffic|game|micro) ?controller|sage advice|audit (senior|associate|manager)|tax"),
    ("hiring_cloud_infra", r"\b(cloud|devops|dev ops|site reliability|sre|platform|infrastructure|kubernetes|azure|aws|gcp|linux|network|virtuali[sz]ation|vmware|storage|database|dba|backend infrastructure)\b.*\b(engineer|architect|administrator|admin|specialist|lead|manager|developer|operator|head|consultant)|\b(head|director|manager) of (cloud|infrastructure|platform)|\b(sre|devops)\b|\bdatabase administrator", r"\b(rail|road|water|civil|gas|drain|highways?|power|electricity|sales|oil|offshore|track|social network|transport)\b.*\b(infrastructure|platform|network)|platform (worker|crane|hand)|infrastructure (project|delivery|planner|surveyor)"),
    ("hiring_it_workplace", r"\b(it|ict|edv) ?-?(support|service|help|manager|administrator|admin|technician|officer|specialist|operations|coordinator|systems|generalist|lead|infrastructure|systemadministrator|analyst|assistant|engineer|director)|\b(service ?desk|help ?desk|desktop support|workplace (engineer|technology|services|it|support)|end[- ]?user (computing|support|services)|endpoint|modern workplace|microsoft 365|m365|office 365|intune|sharepoint|systems? administrator|sysadmin|user support|head of it|deskside|digital workplace|collaboration engineer|1st line|2nd line|first line|second line)\b", r"\bservice desk (receptionist|hotel)|fit\b"),
)  # fmt: skip
_COMPILED = tuple((name, re.compile(wanted, re.IGNORECASE), re.compile(veto, re.IGNORECASE)) for name, wanted, veto in RULES)


def job_event_type(title: str) -> str | None:
    """The ``hiring_…`` type of a job title, or None for functions that tell nothing.

    >>> job_event_type("Senior Cloud Platform Engineer (Azure)"), job_event_type("IT Support Technician"), job_event_type("Night Nurse")
    ('hiring_cloud_infra', 'hiring_it_workplace', None)
    >>> job_event_type("Security Guard (nights)"), job_event_type("SOC Analyst"), job_event_type("Management Accountant")
    (None, 'hiring_security', 'hiring_finance_erp')
    """
    for name, wanted, veto in _COMPILED:
        if wanted.search(title) and not veto.search(title):
            return name
    return None
