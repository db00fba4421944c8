"""Words, numbers and small drawings for the templates."""

from __future__ import annotations

from typing import Any

from django import template
from django.http import HttpRequest
from django.utils.safestring import SafeString, mark_safe

from hub.access import is_executive, is_overseer, person
from reports.reasons import type_in_words

register = template.Library()


def page_words(request: HttpRequest) -> dict[str, Any]:
    """What every page shows: who is signed in, and where."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"who": None}
    return {
        "who": person(request).get_username(),
        "is_executive": is_executive(person(request)),
        "is_overseer": is_overseer(person(request)),
        "here": request.path,
    }


@register.filter
def usd(value: float | None) -> str:
    """US dollars without cents, or a dash.

    >>> usd(1234.5), usd(None)
    ('$1,234', '–')
    """
    return "–" if value is None else f"${value:,.0f}"


@register.filter
def points(value: float | None) -> str:
    """A score or a change of it, or a dash.

    >>> points(75.25), points(None)
    ('75', '–')
    """
    return "–" if value is None else f"{value:.0f}"


@register.filter
def signed(value: float | None) -> str:
    """Points with their sign.

    >>> signed(3.2), signed(-1.0), signed(-0.2)
    ('+3', '−1', '0')
    """
    return "–" if value is None else (f"{value:+.0f}".replace("-", "−") if round(value) else "0")


@register.filter
def slug(value: object) -> str:
    """A word for a class name.

    >>> slug("Act now")
    'act-now'
    """
    return "".join(letter if letter.isalnum() else "-" for letter in str(value).lower())


@register.filter
def words(event_type: str) -> str:
    """An event type as a seller would say it."""
    return type_in_words(event_type)


@register.simple_tag
def share_bar(n: int, total: int, cluster: str) -> SafeString:
    """A bar as long as a share, as SVG; the number beside it is the text alternative."""
    width = round(100 * n / total, 2) if total else 0
    drawing = f'<svg class="bar {slug(cluster)}" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
    return mark_safe(f'{drawing}<rect width="100" height="6" class="rail"/><rect width="{width}" height="6"/></svg>')  # noqa: S308 - numbers and our own words
