"""From one text about one account to the events it reports: type, confidence, status, date, and the sentence that says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from signals.classifier import EventClassifier, Prediction, classifier_text
from signals.cues import is_routine, is_sellers, is_supposed, speaks_of_vacancy, status_of
from signals.dates import event_date, names_only_past
from signals.details import details_of
from signals.job_functions import job_event_type
from signals.sentences import Sentence, split_sentences
from signals.subject import begins_with_other, goes_on, is_about_other, names_somebody
from signals.taxonomy import keyword_pattern, load_taxonomy

OPENING_CHARS = 2_800
JOB_CONFIDENCE = 0.9
HAPPENS_TO_COMPANIES = frozenset(
    "funding_round acquired_or_merged divestiture new_location facility_expansion market_expansion headcount_growth headcount_reduction "
    "security_incident revenue_growth financial_distress legal_action acquisition_made".split()
)
GOES_ON_SENTENCES = 2  # how far back the subject of a sentence is looked for
KEYWORD_BONUS = 0.5  # of two sentences with like attention, the one with a hint word is the better quote


@dataclass(frozen=True, slots=True)
class TextInput:
    """A text to read: who publishes it, when, and as what kind of document."""

    account_name: str
    domain: str
    title: str | None
    text: str
    published_on: str | None
    observed_on: str
    kind: str = "article"


@dataclass(frozen=True, slots=True)
class DetectedEvent:
    """An event read from a text. ``quote`` is verbatim: ``text[quote_start:quote_end]``, or the title when the offsets are -1."""

    event_type: str
    confidence: float
    status: str
    polarity: int
    occurred_on: str
    date_precision: str
    date_source: str
    quote: str
    quote_start: int
    quote_end: int
    details: dict[str, str | float]


def detect_events(classifier: EventClassifier, inputs: Sequence[TextInput]) -> list[list[DetectedEvent]]:
    """The events of each text, in the order of the inputs, most confident first."""
    texts = [i for i, item in enumerate(inputs) if item.kind != "job"]
    predictions = dict(zip(texts, classifier.predict([read_text(inputs[i]) for i in texts]), strict=True))
    return [
        events_of_text(classifier, item, predictions[i]) if i in predictions else list(_events_of_job(item))
        for i, item in enumerate(inputs)
    ]


def read_text(item: TextInput) -> str:
    """What is read of an input: its title and its opening."""
    return classifier_text(item.title, item.text[:OPENING_CHARS])


def events_of_text(classifier: EventClassifier, item: TextInput, prediction: Prediction) -> list[DetectedEvent]:
    """The events of a text that was predicted, most confident first."""
    full = read_text(item)
    shift = len(full) - len(item.text[:OPENING_CHARS])
    sentences = split_sentences(full)
    found: list[DetectedEvent] = []
    hinted = _with_odds(prediction.probabilities, classifier.hint_weight)
    for i in np.flatnonzero(np.maximum(hinted, prediction.probabilities) >= classifier.thresholds):
        event_type = classifier.types[i]
        quote = _best_sentence(prediction, int(i), sentences, event_type)
        if quote is None or not _is_news(quote, item, event_type, sentences):
            continue
        confidence = float((hinted if has_hint(event_type, quote.text) else prediction.probabilities)[i])
        if confidence >= classifier.thresholds[i]:
            found.append(_event(item, event_type, confidence, quote, full, shift))
    return sorted(found, key=lambda event: (-event.confidence, event.event_type))


def _with_odds(probabilities: NDArray[np.float32], weight: float) -> NDArray[np.float32]:
    """Probabilities whose log odds are raised by the weight."""
    odds = probabilities * np.float32(np.exp(weight))
    raised: NDArray[np.float32] = (odds / (1 - probabilities + odds)).astype(np.float32)
    return raised


def _best_sentence(prediction: Prediction, type_index: int, sentences: list[Sentence], event_type: str) -> Sentence | None:
    """The sentence that draws most of the type's attention."""
    if not sentences:
        return None
    share = np.array([prediction.evidence(sentence.start, sentence.end)[type_index] for sentence in sentences])
    hinted = np.array([has_hint(event_type, sentence.text) for sentence in sentences])
    return sentences[int(np.argmax(share * (1 + KEYWORD_BONUS * hinted)))]


def has_hint(event_type: str, sentence: str) -> bool:
    """Whether one of the type's words stands in the sentence."""
    pattern = keyword_pattern(event_type)
    return bool(pattern and pattern.search(sentence))


def _is_news(quote: Sentence, item: TextInput, event_type: str, sentences: list[Sentence]) -> bool:
    """Whether the sentence tells something of now, as a fact, about the account, and more than the everyday."""
    published = date.fromisoformat(item.published_on or item.observed_on)
    if (
        names_only_past(quote.text, published)
        or is_supposed(quote.text)
        or is_sellers(event_type, quote.text)
        or is_routine(event_type, quote.text)
    ):
        return False
    if event_type == "customer_win" and not (names_somebody(quote.text) or has_hint(event_type, quote.text)):
        return False
    if event_type.startswith("hiring_") and not speaks_of_vacancy(quote.text):
        return False
    if event_type in HAPPENS_TO_COMPANIES and _is_others(quote, item, sentences):
        return False
    return not is_about_other(quote.text, item.account_name, item.domain)


def _is_others(quote: Sentence, item: TextInput, sentences: list[Sentence]) -> bool:
    """Whether the sentence begins with another company, or goes on about the one that a sentence shortly before began with."""
    if begins_with_other(quote.text, item.account_name, item.domain):
        return True
    place = sentences.index(quote)
    return goes_on(quote.text, item.account_name, item.domain) and any(
        begins_with_other(before.text, item.account_name, item.domain) for before in sentences[max(0, place - GOES_ON_SENTENCES) : place]
    )


def _event(item: TextInput, event_type: str, confidence: float, quote: Sentence, full: str, shift: int) -> DetectedEvent:
    published = date.fromisoformat(item.published_on) if item.published_on else None
    day, precision, source = event_date(full, quote.start, quote.end, published, date.fromisoformat(item.observed_on))
    in_title = quote.end <= shift
    return DetectedEvent(
        event_type,
        round(confidence, 4),
        status_of(quote.text),
        load_taxonomy()[event_type].polarity,
        day.isoformat(),
        precision,
        source,
        quote.text,
        -1 if in_title else max(0, quote.start - shift),
        -1 if in_title else quote.end - shift,
        details_of(event_type, quote.text),
    )


def _events_of_job(item: TextInput) -> Iterator[DetectedEvent]:
    event_type = job_event_type(item.title or "")
    if event_type is None:
        return
    day = item.published_on or item.observed_on
    source = "publication" if item.published_on else "observation"
    yield DetectedEvent(event_type, JOB_CONFIDENCE, "announced", 1, day, "day", source, item.title or "", -1, -1, {})
