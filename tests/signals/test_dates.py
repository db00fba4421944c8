"""The day of a happening is read from the text around its quote, else it is the publication; deadlines and reporting periods are neither."""

from __future__ import annotations

from datetime import date

import pytest

from signals.dates import event_date, find_dates

PUBLISHED = date(2026, 5, 20)


def dated(text: str, quote: str, published: date | None = PUBLISHED) -> tuple[str, str, str]:
    start = text.index(quote)
    day, precision, source = event_date(text, start, start + len(quote), published, date(2026, 6, 1))
    return day.isoformat(), precision, source


@pytest.mark.parametrize(
    ("words", "first_day"),
    [
        ("from 18 to 21 August 2026", "2026-08-18"),
        ("on 9 and 10 September 2026", "2026-09-09"),
        ("11–13 June 2026", "2026-06-11"),
        ("28 April to 3 May 2026", "2026-04-28"),
        ("June 6-8, 2026", "2026-06-06"),
        ("June 6 to 8", "2026-06-06"),
        ("on the 3rd of March 2026", "2026-03-03"),
    ],
)
def test_of_a_range_the_first_day_counts(words: str, first_day: str) -> None:
    assert [str(named.day) for named in find_dates(f"The fair took place {words}.", PUBLISHED)] == [first_day]


def test_a_day_in_the_quote_wins_over_one_beside_it() -> None:
    text = "On 2 May 2026 we signed. We opened our Leeds office on 11 May 2026. Then came 15 May 2026."
    assert dated(text, "We opened our Leeds office on 11 May 2026.") == ("2026-05-11", "day", "text")


@pytest.mark.parametrize(
    "text",
    [
        "We have bought Bexley Print. The contract was signed on 11 May 2026 in Kent.",
        "The board decided on 11 May 2026. We have bought Bexley Print.",
        "We have bought Bexley Print. It employs nine. The contract was signed on 11 May 2026.",
    ],
)
def test_a_recent_day_beside_the_quote_dates_it(text: str) -> None:
    assert dated(text, "We have bought Bexley Print.") == ("2026-05-11", "day", "text")


@pytest.mark.parametrize(
    "text",
    [
        "We have bought Bexley Print. Bexley was founded on 11 May 2019.",  # long ago
        "We have bought Bexley Print. The shop reopens on 11 June 2026.",  # to come
        "We have bought Bexley Print. One. Two. Three. The fair began on 11 May 2026.",  # too far off
        "Sales in the year to 30 April 2026 rose. We have bought Bexley Print.",  # the end of a period
    ],
)
def test_other_days_beside_the_quote_do_not(text: str) -> None:
    assert dated(text, "We have bought Bexley Print.") == ("2026-05-20", "day", "publication")


@pytest.mark.parametrize(
    "quote",
    [
        "Sales for the nine months to March 2026 fell by a fifth.",
        "Revenue in the year ended 31 March 2026 was 4 million.",
        "We will hire 30 people by the end of June 2026.",
        "Between now and 30 June 2026 we hire 30 people.",
        "Fourteen people will leave by 30 June.",
        "We will close the plant at the end of September 2026.",
    ],
)
def test_deadlines_and_reporting_periods_are_no_days_of_a_happening(quote: str) -> None:
    assert dated(quote, quote) == ("2026-05-20", "day", "publication")


def test_an_announced_day_to_come_is_kept() -> None:
    quote = "From 1 October 2026 we add a third shift."
    assert dated(quote, quote) == ("2026-10-01", "day", "text")


def test_a_past_month_is_kept_with_its_precision() -> None:
    assert dated("We moved to Azure in March.", "We moved to Azure in March.") == ("2026-03-01", "month", "text")
    assert dated("The build began this month.", "The build began this month.") == ("2026-05-01", "month", "text")


def test_without_a_publication_date_the_first_look_counts() -> None:
    assert dated("We have moved to Azure.", "We have moved to Azure.", None) == ("2026-06-01", "day", "observation")
