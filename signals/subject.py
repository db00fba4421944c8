"""Whether a sentence speaks of the account that publishes it or of somebody else."""

from __future__ import annotations

import re

_FIRST_PERSON = re.compile(r"\b(we|we've|we're|we'll|our|ours|us|i|my)\b", re.IGNORECASE)
_OTHERS = re.compile(
    r"\b(our|a|another|one|the) (client|customer|partner|supplier|competitor|rival|landlord|neighbour|vendor|provider)s?('s)? .{0,60}\b(has|have|had|was|were|is|acquired|raised|announced|"
    r"opened|suffered|moved|bought|appointed|closed|launched|merged|will)\b",
    re.IGNORECASE,
)
_LEGAL_FORMS = re.compile(
    r"\b(inc|ltd|limited|llc|llp|gmbh|ag|plc|corp|corporation|co|company|bv|b\.v|sa|s\.a|srl|oy|ab|as|pty|pte|group|holdings?|the|and|&)\b\.?",
    re.IGNORECASE,
)


def is_about_other(sentence: str, account_name: str, domain: str) -> bool:
    """Whether the sentence names a customer, partner or competitor as the one to whom it happened.

    >>> is_about_other("Our client Brackley Mills has acquired two weaving sheds.", "Hoare & Co", "hoare.test")
    True
    >>> is_about_other("We have acquired Brackley Mills.", "Hoare & Co", "hoare.test")
    False
    """
    return (
        bool(_OTHERS.search(sentence))
        and not mentions_account(sentence, account_name, domain)
        and not re.search(r"\bwe\b", sentence, re.IGNORECASE)
    )


def mentions_account(sentence: str, account_name: str, domain: str) -> bool:
    """Whether the sentence names the account, by the telling part of its name or the first label of its domain."""
    folded = re.sub(r"[^\w]+", " ", sentence.lower())
    words = re.sub(r"[^\w]+", " ", _LEGAL_FORMS.sub(" ", account_name.lower())).split()
    telling = " ".join(words[:2])
    label = domain.split(".")[0]
    return bool(telling and re.search(rf"\b{re.escape(telling)}\b", folded)) or label in folded.replace(" ", "")


def speaks_in_first_person(sentence: str) -> bool:
    """Whether the sentence says we, our, us or I."""
    return bool(_FIRST_PERSON.search(sentence))
