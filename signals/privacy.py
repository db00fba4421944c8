"""Takes contact data out of a text before anything is stored: e-mail addresses, telephone numbers, and the blocks that list people to ask."""

from __future__ import annotations

import re

REMOVED = "[contact removed]"
MAX_CONTACT_LINES = 8
MAX_CONTACT_CHARS = 90

_AT = r"(?:@|\s?[\(\[\{]\s?(?:at|ät|arroba)\s?[\)\]\}]\s?)"
_DOT = r"(?:\.|\s?[\(\[\{]\s?(?:dot|punkt|punto)\s?[\)\]\}]\s?)"
# Tried from the beginning of a word only, and as a whole: no address hides in the middle of one.
_EMAIL = re.compile(rf"(?<![\w.+'’%-])(?:mailto:)?[\w.+'’%-]++{_AT}[\w-]+(?:{_DOT}[\w-]+)*{_DOT}[^\W\d_]{{2,24}}(?![\w-])", re.IGNORECASE)
# National numbers say nothing of themselves, so they count where a word announces them.
_LABEL = r"(?:tel(?:e(?:phone|fon))?|phone|mobile?|cell|fax|call|whatsapp|handy|mobil|móvil|teléfono|tél|téléphone|puh|tlf|t|m|ph)"
_LABELLED_NUMBER = re.compile(
    rf"\b{_LABEL}\b\.?\s*(?:us|no|nr|number|at|on)?\.?\s*[:/–-]?\s*(\+?\(?\d[\d\s().·/–-]{{5,20}}\d)", re.IGNORECASE
)
_AMERICAN_NUMBER = re.compile(r"(?<![\d.,-])(?:1[-. ])?(?:\(\d{3}\) ?|\d{3}[-. ])\d{3}[-. ]\d{4}(?!\d|[,-]\d)")
_MANY_DIGITS = re.compile(r"\+\s?\(?\d(?:[\s().·/–-]?\d){6,}")
_CONTACT_HEADING = re.compile(
    r"^\W*(?:(?:media|press|investor(?: relations)?|pr|news|company|corporate|public relations|sales|further|for more)\W+)*"
    r"(?:contacts?|enquiries|inquiries|information(?:,? (?:please )?contact)?|ansprechpartner(?:in)?|pressekontakt|kontakt|contacto|contatto|contact presse)"
    r"(?:\s+(?:information|details|person|us|for (?:the )?(?:media|press)))?\s*:?\W*$",
    re.IGNORECASE,
)


def remove_contacts(text: str) -> str:
    """The text without e-mail addresses, telephone numbers and contact blocks.

    >>> remove_contacts("Call us: +44 20 7946 0958 or write to ann.example@mill.example. We raised 12,000,000 euros.")
    'Call us: [contact removed] or write to [contact removed]. We raised 12,000,000 euros.'
    >>> remove_contacts("Great news.\\nMedia contact:\\nAnn Example\\nHead of Press\\n\\nAbout us")
    'Great news.\\n[contact removed]\\n\\nAbout us'
    """
    return _remove_numbers(_EMAIL.sub(REMOVED, _remove_blocks(text)))


def _remove_blocks(text: str) -> str:
    """Without the short lines after a heading such as "Press contact": they name the people to ask."""
    kept: list[str] = []
    left = 0
    for line in text.split("\n"):
        if _CONTACT_HEADING.match(line):
            left = MAX_CONTACT_LINES
            kept.append(REMOVED)
        elif left and line.strip() and len(line) <= MAX_CONTACT_CHARS:
            left -= 1
        else:
            left = 0
            kept.append(line)
    return "\n".join(kept)


def _remove_numbers(text: str) -> str:
    if not re.search(r"\d[\d\s().·/–-]{5,}\d", text):
        return text
    import phonenumbers

    spans = [match.span(1) for match in _LABELLED_NUMBER.finditer(text)] + [match.span() for match in _AMERICAN_NUMBER.finditer(text)]
    if "+" in text:
        spans += [(match.start, match.end) for match in phonenumbers.PhoneNumberMatcher(text, None, phonenumbers.Leniency.POSSIBLE)]
        spans += [match.span() for match in _MANY_DIGITS.finditer(text)]
    kept, end = [], 0
    for start, stop in sorted(spans):
        if start >= end:
            kept += [text[end:start], REMOVED]
            end = stop
        end = max(end, stop)
    return "".join([*kept, text[end:]])
