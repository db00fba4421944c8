"""Small charts as inline SVG without styles or scripts of their own: classes of the page colour them, so they follow light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT = 340, 250
LEFT, RIGHT, TOP, BOTTOM = 54, 20, 12, 36


def svg(words: str, body: str, width: int = WIDTH, height: int = HEIGHT) -> str:
    """The drawing with a text for those who do not see it."""
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(words, quote=True)}">{body}</svg>'


def line_chart(words: str, curves: Sequence[tuple[str, Sequence[Sequence[float]]]], x_title: str, y_title: str) -> str:
    """Curves over shares from 0 to 1, with the diagonal; each curve is named at its own class."""
    body = _frame(x_title, y_title) + _line([[0, 0], [1, 1]], "diagonal")
    for i, (_, points) in enumerate(curves):
        body += _line(points, f"curve c{i}")
    legend = "".join(
        f'<line class="curve c{i}" x1="{LEFT + 8}" x2="{LEFT + 26}" y1="{TOP + 12 + 15 * i}" y2="{TOP + 12 + 15 * i}"/>'
        f'<text class="label" x="{LEFT + 31}" y="{TOP + 16 + 15 * i}">{escape(name)}</text>'
        for i, (name, _) in enumerate(curves)
    )
    return svg(words, body + legend)


def reliability_chart(words: str, bins: Sequence[tuple[float, float, float, float]], x_title: str, y_title: str) -> str:
    """Points ``(said, happened, low, high)`` with their intervals against the diagonal."""
    body = _frame(x_title, y_title) + _line([[0, 0], [1, 1]], "diagonal")
    for said, happened, low, high in bins:
        body += f'<line class="whisker" x1="{_x(said)}" x2="{_x(said)}" y1="{_y(low)}" y2="{_y(high)}"/>'
        body += f'<circle class="dot" cx="{_x(said)}" cy="{_y(happened)}" r="4"/>'
    return svg(words, body + _line([[said, happened] for said, happened, _, _ in bins], "curve c0"))


def bar_chart(words: str, bars: Sequence[tuple[str, float | None, float, float, str]], reference: float | None) -> str:
    """Horizontal bars ``(name, rate, low, high, note)`` with whiskers, and a line at the rate of all."""
    row, left = 30, 84
    height = row * len(bars) + 34
    top = max([high for _, rate, _, high, _ in bars if rate is not None], default=1.0)
    top = max(top, reference or 0.0, 0.05)

    def x(rate: float) -> float:
        return round(left + (WIDTH - left - 60) * rate / top, 1)

    body = ""
    for i, (name, rate, low, high, note) in enumerate(bars):
        middle = 8 + row * i + row / 2
        body += f'<text class="label" x="{left - 8}" y="{middle + 4}" text-anchor="end">{escape(name)}</text>'
        if rate is not None:
            body += f'<rect class="bar b{i}" x="{left}" y="{middle - 9}" width="{max(0.5, round(x(rate) - left, 1))}" height="18" rx="2"/>'
            body += f'<line class="whisker" x1="{x(low)}" x2="{x(high)}" y1="{middle}" y2="{middle}"/>'
            body += f'<text class="value" x="{x(high) + 5}" y="{middle + 4}">{rate:.0%}</text>'
        else:
            body += f'<text class="quiet" x="{left + 4}" y="{middle + 4}">{escape(note)}</text>'
    if reference is not None:
        body += f'<line class="reference" x1="{x(reference)}" x2="{x(reference)}" y1="4" y2="{height - 22}"/>'
        body += f'<text class="quiet" x="{x(reference)}" y="{height - 8}" text-anchor="middle">all {reference:.0%}</text>'
    return svg(words, body, WIDTH, height)


def _frame(x_title: str, y_title: str) -> str:
    parts = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(f'<line class="grid" x1="{_x(share)}" x2="{_x(share)}" y1="{_y(0)}" y2="{_y(1)}"/>')
        parts.append(f'<line class="grid" x1="{_x(0)}" x2="{_x(1)}" y1="{_y(share)}" y2="{_y(share)}"/>')
        parts.append(f'<text class="tick" x="{_x(share)}" y="{_y(0) + 14}" text-anchor="middle">{share:.0%}</text>')
        parts.append(f'<text class="tick" x="{_x(0) - 6}" y="{_y(share) + 4}" text-anchor="end">{share:.0%}</text>')
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(f'<text class="axis" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x_title)}</text>')
    parts.append(f'<text class="axis" transform="translate(11 {middle}) rotate(-90)" text-anchor="middle">{escape(y_title)}</text>')
    return "".join(parts)


def _line(points: Sequence[Sequence[float]], kind: str) -> str:
    path = " ".join(f"{_x(x)},{_y(y)}" for x, y in points)
    return f'<polyline class="{kind}" points="{path}"/>'


def _x(share: float) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * share, 1)


def _y(share: float) -> float:
    return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share, 1)
