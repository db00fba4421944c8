"""Whether a sentence speaks of the account that publishes it or of somebody else."""

from __future__ import annotations

import re

_OTHERS = re.compile(
    r"\b(our|a|another|one|the) (client|customer|partner|supplier|competitor|rival|landlord|neighbour|vendor|provider)s?('s)? .{0,60}\b(has|have|had|was|were|is|acquired|raised|announced|"
    r"opened|suffered|moved|bought|appointed|closed|launched|merged|will)\b",
    re.IGNORECASE,
)
_LEGAL_FORMS = re.compile(
    r"\b(inc|ltd|limited|llc|llp|gmbh|ag|plc|corp|corporation|co|company|bv|b\.v|sa|s\.a|srl|oy|ab|as|pty|pte|group|holdings?|the|and|&)\b\.?",
    re.IGNORECASE,
)


_LEAD_IN = re.compile(
    r"^\W*(?:(?:yes|no|well|so|now|and|but|as you may know|you (?:may|might|will|have)(?: all)? (?:have )?(?:read|heard|seen)(?: in the news)?(?: that)?),?\s+)*",
    re.IGNORECASE,
)
_SOME_OF = re.compile(r"^(?:one|two|three|several|some|many|a few|both|most) of (?:the|our)\b", re.IGNORECASE)
_RELATIVE_CLAUSE = re.compile(
    r", (?:(?:to|for|with|from|in) )?(?:which|whom|whose|who)\b[^,]*,|(?<=s) (?:that |whom )?we (?:\w+ ){1,2}(?:for|with|to)\b(?=,)"
)
_NAME = re.compile(r"^(?:The |Our [a-z]+ |[A-Z][a-z]+-based )?((?:[A-Z][\w&'’.-]*|of|de|and)(?: (?:[A-Z][\w&'’.-]*|of|de|and))*)")
_CALENDAR = re.compile(
    r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)day|january|february|march|april|may|june|july|august|september|october|november|december|"
    r"spring|summer|autumn|winter|since|after|before|during|with|in|on|at|from|today|this|last|next|when|as|following|construction|work|plans?\b",
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


def begins_with_other(sentence: str, account_name: str, domain: str) -> bool:
    """Whether the sentence's first words, its subject, name a company that is not the account.

    Headlines in capitals and sentences that say "we" or "us" outside a relative clause are never told so. Meant for what happens to companies
    (rounds, mergers, plants); a new chief executive may well stand first.

    >>> begins_with_other("You may have read that Buckeye Volumetric is adding 300 jobs.", "Harrow Creek Modular, LLC", "harrowcreek.test")
    True
    >>> begins_with_other("Mahi Eye Clinic, to which we refer patients, has received a grant.", "Saheliyan Seva", "saheliyan.test")
    True
    >>> begins_with_other("Two of the grain companies we build for, Red Lakes and Harvest Gateway, have agreed to merge.", "Pembina Steel", "pembina.test")
    True
    >>> begins_with_other("Atlantic Turbocare has acquired us.", "Bonny Creek Energy", "bonnycreek.test")
    False
    >>> begins_with_other("Harrow Creek raises $24 million", "Harrow Creek Modular, LLC", "harrowcreek.test")
    False
    """
    if mentions_account(sentence, account_name, domain):
        return False
    bare = _RELATIVE_CLAUSE.sub("", _LEAD_IN.sub("", sentence.strip()))
    if re.search(r"\b(we|us|ourselves)\b", bare, re.IGNORECASE):
        return False
    if _SOME_OF.search(bare):
        return True
    words = [word for word in bare.split() if word[0].isalpha()]
    if sum(word[0].isupper() for word in words) > 0.5 * len(words):
        return False
    named = _NAME.match(bare)
    capitals = [word for word in named.group(1).split() if word[0].isupper()] if named else []
    return len(capitals) >= 2 and not _CALENDAR.match(named.group(1) if named else "")


def goes_on(sentence: str, account_name: str, domain: str) -> bool:
    """Whether the sentence's subject is that of the sentence before it.

    >>> goes_on("The clinic will build a second theatre.", "Saheliyan Seva", "saheliyan.test")
    True
    >>> goes_on("It gives us room for thirty people.", "Saheliyan Seva", "saheliyan.test")
    False
    """
    begins = re.match(r"(?:it|they|the [a-z]+|its|their)\b", sentence.strip(), re.IGNORECASE)
    return (
        begins is not None
        and not mentions_account(sentence, account_name, domain)
        and not re.search(r"\b(we|us|our)\b", sentence, re.IGNORECASE)
    )


def names_somebody(sentence: str) -> bool:
    """Whether a name stands in the sentence, after its first word.

    >>> names_somebody("Our kilns will fire bricks for Kestrel Homes."), names_somebody("We found the wages book: one pound a week for a moulder.")
    (True, False)
    """
    return re.search(r"(?<=[\w,;:\"“)’] )[\"“(]?[A-ZÀ-ÖØ-Þ][\w’'-]+", sentence) is not None


def mentions_account(sentence: str, account_name: str, domain: str) -> bool:
    """Whether the sentence names the account, by the telling part of its name or the first label of its domain."""
    folded = re.sub(r"[^\w]+", " ", sentence.lower())
    words = re.sub(r"[^\w]+", " ", _LEGAL_FORMS.sub(" ", account_name.lower())).split()
    telling = " ".join(words[:2])
    label = domain.split(".")[0]
    return bool(telling and re.search(rf"\b{re.escape(telling)}\b", folded)) or label in folded.replace(" ", "")
