"""How alike two company names are, once legal forms, articles, accents, scripts and punctuation are out of the way."""

from __future__ import annotations

import re
from functools import lru_cache

MATCH = 0.85  # from here on two names are taken for one company's
ALIKE_TOKEN = 0.8  # normalised edit similarity from which a word is a misspelling of another
LONELY_WEIGHT = 2.0  # a telling word that only one of the names has
_LEGAL_PHRASES = re.compile(
    r"\b(?:limited liability (?:company|partnership)|(?:public |open |closed |private )?joi?y?nt stock company|public limited company|"
    r"(?:public |private )?company limited(?: by shares)?|aktiengesel{1,2}schaft|gesellschaft mit beschrankter haftung|"
    r"societatea cu raspundere limitata|sociedad anonima(?: de capital variable)?|societe anonyme|societe par actions simplifiee|"
    r"(?:o[bp]shch?estvo) s ogranichenno[iy]y? otvetstvennost.?yu|(?:publichnoe |otkrytoe |zakrytoe )?aktsionernoe obshchestvo|"
    r"sp z o ?o|s de r ?l de c ?v|s a de c ?v|co ltd|pty ltd|pvt ltd|sdn bhd)\b"
)
_LEGAL_WORDS = frozenset(
    "ab ag akg aktg aps as asa bhd bv co company corp corporation cv doo "
    " eirl ek eood ev fze gbr gmbh inc incorporated jsc kft kg kk lda limited llc llp lp ltd ltda mbh nv oao "
    "od ojsc ood ooo oy oyj pao pjsc plc pt pte pty pvt sa sarl sas sl spa spk sprl srl srlu sro uab ug zao zrt".split()
)
_EMPTY_WORDS = frozenset("the of and de la le les der die das des for group holding holdings".split())
_SPELLED = {
    "intl": "international",
    "organisation": "organization",
    "us": "united states",
    "uk": "united kingdom",
    "bros": "brothers",
    "mfg": "manufacturing",
}


def name_similarity(one: str, other: str) -> float:
    """0 to 1; ``MATCH`` and above means the same company. Equal but for legal form, case, accents or word breaks is 1.

    Words are paired with their most alike counterparts; a word that has none counts against the pair by its length, so that one differing
    telling word ("Bank of Chad", "Bank of China") outweighs many shared common ones.

    >>> name_similarity("Siemens Aktiengesellschaft", "SIEMENS AG"), name_similarity("Wallmart Inc.", "Walmart") > MATCH
    (1.0, True)
    >>> name_similarity("Bank of Armenia Corporation", "Bank of America Corporation") < MATCH
    True
    """
    from rapidfuzz.distance import OSA

    first, second = name_words(one), name_words(other)
    if not first or not second:
        return float(" ".join(one.lower().split()) == " ".join(other.lower().split()))
    if "".join(first) == "".join(second) or sorted(first) == sorted(second) or _letters(one) == _letters(other):
        return 1.0
    joined = OSA.normalized_similarity("".join(first), "".join(second))
    pairs, lonely = _pair(first, second)
    if not lonely and joined >= ALIKE_TOKEN and all(_is_misspelling(a, b, similarity) for a, b, similarity in pairs):
        return max(MATCH, joined)
    alike = sum(min(len(a), len(b)) * similarity for a, b, similarity in pairs)
    total = sum(max(len(a), len(b)) for a, b, _ in pairs) + LONELY_WEIGHT * sum(map(len, lonely))
    return float(min(alike / total, MATCH - 0.01))


def _is_misspelling(one: str, other: str, similarity: float) -> bool:
    """One letter in a word of four and more, or one in five; figures and initials are never misspelt."""
    n_edits = round((1 - similarity) * max(len(one), len(other)))
    return one == other or (
        one.isalpha() and other.isalpha() and min(len(one), len(other)) >= 4 and (n_edits <= 1 or similarity >= ALIKE_TOKEN)
    )


def _letters(name: str) -> str:
    """All letters but those of the legal form: "van der bilt corp" is "Vanderbilt Corp."."""
    return "".join(word for word in _folded(name).split() if word not in _LEGAL_WORDS)


@lru_cache(maxsize=100_000)
def name_words(name: str) -> tuple[str, ...]:
    """The telling words of a name, in ASCII and lower case.

    >>> name_words("The Coca-Cola Company"), name_words("ООО «Байкал»"), name_words("J.P. Morgan & Co.")
    (('coca', 'cola'), ('baykal',), ('jp', 'morgan'))
    """
    words = [part for word in _folded(name).split() for part in _SPELLED.get(word, word).split()]
    telling = [word for word in words if word not in _LEGAL_WORDS and word not in _EMPTY_WORDS]
    return tuple(telling or words)


@lru_cache(maxsize=100_000)
def _folded(name: str) -> str:
    """ASCII, lower case, one space between words, initials joined, legal phrases gone."""
    from anyascii import anyascii

    folded = anyascii(name).lower().replace("&", " and ")
    folded = re.sub(r"(?<=\b\w)\.\s?(?=\w\b)|(?<=\b\w)\.(?=\w\.)", "", folded)  # A.B.C. is one word
    folded = re.sub(r"['’`]", "", folded)
    folded = " ".join(re.sub(r"[^a-z0-9%]+", " ", folded).split())
    return " ".join(_LEGAL_PHRASES.sub(" ", folded).split())


def _pair(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[list[tuple[str, str, float]], list[str]]:
    """Words paired greedily with their most alike counterparts, and those left over."""
    from rapidfuzz.distance import OSA

    candidates = sorted(
        ((OSA.normalized_similarity(a, b), i, j) for i, a in enumerate(first) for j, b in enumerate(second)),
        key=lambda c: (-c[0], c[1], c[2]),
    )
    left, right = set(range(len(first))), set(range(len(second)))
    pairs = []
    for similarity, i, j in candidates:
        if i in left and j in right and similarity > 0.5:
            pairs.append((first[i], second[j], similarity))
            left.discard(i)
            right.discard(j)
    return pairs, [first[i] for i in sorted(left)] + [second[j] for j in sorted(right)]
