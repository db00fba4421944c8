"""What became of a company's technologies between two looks: rows that remember, and a text that shows what this look saw."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from storage.ids import content_key
from storage.records import TechnologyObservation
from storage.store import Store

MISSES_BEFORE_RETIRED = 2  # one look may find a site half asleep
Detection = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """One look at a company: what was seen, which sources answered, and on which day."""

    account_id: str
    domain: str
    on: str
    detections: Sequence[Detection]
    unanswered: frozenset[str]  # sources that gave no answer: what only they show is not missing


def load_running(store: Store, account_id: str) -> list[TechnologyObservation]:
    """What was running at an account by the latest look."""
    rows = store.query("SELECT * FROM technology_observations WHERE account_id = ? AND retired_on IS NULL", (account_id,))
    return [TechnologyObservation(**row) for row in rows]


def is_first_look(store: Store, account_id: str) -> bool:
    """Whether no profile of the account was ever kept."""
    return not store.value("SELECT 1 FROM pages WHERE account_id = ? AND kind = 'profile'", (account_id,))


def profile_text(look: Look, running: Iterable[TechnologyObservation]) -> str:
    """The text of this look: one line per technology; the same as long as nothing changes, so that it is archived once."""
    lines = [f"Technology profile of {look.domain}", ""]
    for seen in look.detections:
        legacy = f", {seen['legacy']}" if seen["legacy"] else ""
        version = f" {seen['version']}" if seen["version"] else ""
        lines.append(f"Seen: {seen['technology']}{version} ({seen['category']}){legacy} – {seen['evidence']}")
    lines += [
        f"No longer seen: {one.technology} ({one.category}), last on {one.last_seen_on} – {one.evidence}"
        for one in _missing(look, running)
        if one.n_misses + 1 >= MISSES_BEFORE_RETIRED
    ]
    return "\n".join(lines) + "\n"


def observe(look: Look, running: Iterable[TechnologyObservation], page_id: str, is_first: bool) -> list[TechnologyObservation]:
    """The rows after a look: new ones, those seen again, those missed, and those missed for good."""
    running = list(running)
    known = {one.technology: one for one in running}
    rows = [_seen(look, seen, known.get(seen["technology"]), page_id, is_first) for seen in look.detections]
    for one in _missing(look, running):
        n_misses = one.n_misses + 1
        gone = n_misses >= MISSES_BEFORE_RETIRED
        rows.append(
            dataclasses.replace(
                one, n_misses=n_misses, retired_on=look.on if gone else None, last_page_id=page_id if gone else one.last_page_id
            )
        )
    return rows


def _missing(look: Look, running: Iterable[TechnologyObservation]) -> list[TechnologyObservation]:
    seen = {one["technology"] for one in look.detections}
    missing = [one for one in running if one.technology not in seen and one.source not in look.unanswered]
    return sorted(missing, key=lambda one: one.technology)


def _seen(look: Look, seen: Detection, known: TechnologyObservation | None, page_id: str, is_first: bool) -> TechnologyObservation:
    latest = {name: seen[name] for name in ("category", "evidence", "version", "source", "legacy")}
    if known is not None:
        if seen["version"] is None:  # a sight that tells no version takes nothing back
            latest["version"], latest["legacy"] = known.version, seen["legacy"] or known.legacy
        return dataclasses.replace(known, **latest, last_seen_on=look.on, n_misses=0, last_page_id=page_id)
    return TechnologyObservation(
        observation_id=content_key("technology", look.account_id, seen["technology"], look.on),
        account_id=look.account_id,
        technology=seen["technology"],
        first_seen_on=look.on,
        last_seen_on=look.on,
        is_eventful=int(seen["is_eventful"]),
        is_baseline=int(is_first),
        n_misses=0,
        retired_on=None,
        first_page_id=page_id,
        last_page_id=page_id,
        **latest,
    )
