"""What is known of every account before a day: the columns the fit model reads.

A purchase of the product that is scored is never a feature: it is what the model predicts. For learning, a customer's history ends the day before it
first bought the product, so that nothing of what followed the purchase helps to predict it: neither later purchases nor software that was seen later,
which may be the product itself.
"""

from __future__ import annotations

import numpy as np

from scoring.book import Book
from scoring.columns import TECHNOLOGY, UNKNOWN, Columns, Flags, Floats, Texts, Whole

DAYS_PER_YEAR = 365.25


def fit_columns(book: Book, bits: int, before: Whole) -> Columns:
    """The features of every account of the book.

    Args:
        bits: the products that are scored, as in ``Purchases.products``: purchases of theirs do not count.
        before: per account, the day before whose beginning a purchase, a deal or the first sight of a technology must lie to count.
    """
    n = len(book)
    bought, deals = book.purchases, book.deals
    counts = (bought.day < before[bought.account]) & ((bought.products & np.int64(bits)) == 0)
    account, day = bought.account[counts], bought.day[counts]
    amount = bought.amount_usd[counts]
    n_products = np.zeros(n)
    for other in range(int(bought.products.max()).bit_length() if len(bought.products) else 0):
        owns = np.zeros(n, dtype=bool)
        owns[account[(bought.products[counts] >> other) & 1 == 1]] = True
        n_products += owns
    recent = day >= before[account] - round(3 * DAYS_PER_YEAR)
    first = _first_day(account, day, n)
    eos = np.zeros(n)
    eos[account[bought.is_end_of_support[counts]]] = 1.0
    decided = deals.is_closed & (deals.closed < before[deals.account]) & ((deals.products & np.int64(bits)) == 0)
    won = np.bincount(deals.account[decided & deals.is_won], minlength=n).astype(float)
    n_decided = np.bincount(deals.account[decided], minlength=n).astype(float)
    numbers = {
        "employees (log)": np.log1p(book.employees),
        "annual revenue (log)": np.log1p(np.maximum(book.annual_revenue_usd, 0)),
        "years in business (log)": np.log1p(np.maximum(0.0, book.as_of.year - book.founded_year)),
        "other products owned": n_products,
        "spend on other products, 3 years (log)": np.log1p(
            np.maximum(0.0, np.bincount(account[recent], weights=amount[recent], minlength=n))
        ),
        "customer for years": np.where(first < NEVER, (before - first) / DAYS_PER_YEAR, 0.0),
        "bought end-of-support products": eos,
        "share of other deals won": np.divide(won, n_decided, out=np.full(n, np.nan), where=n_decided > 0),
    }
    categories = {
        "industry": book.industry,
        "country": book.country,
        "nonprofit": _yes_no(book.is_nonprofit),
        "mail system": book.mail_system.by(before),
        **{f"{TECHNOLOGY}{category}": seen.by(before) for category, seen in book.technologies.items()},
    }
    return Columns(numbers, categories)


NEVER = 10**7  # after every date


def first_purchase(book: Book, bits: int) -> Whole:
    """Per account, the day it first bought the product or won a deal for it; ``NEVER`` where it did not by the book's date."""
    bought, deals = book.purchases, book.deals
    is_bought = (bought.products & np.int64(bits)) != 0
    is_won = deals.is_won & ((deals.products & np.int64(bits)) != 0)
    return _first_day(
        np.concatenate([bought.account[is_bought], deals.account[is_won]]),
        np.concatenate([bought.day[is_bought], deals.closed[is_won]]),
        len(book),
    )


def lost_deal(book: Book, bits: int) -> Flags:
    """Whether the account lost a deal for the product by the book's date."""
    is_lost = book.deals.is_closed & ~book.deals.is_won & ((book.deals.products & np.int64(bits)) != 0)
    flags = np.zeros(len(book), dtype=bool)
    flags[book.deals.account[is_lost]] = True
    return flags


def spend(book: Book, bits: int, days: int) -> Floats:
    """Per account, what it spent on the product in so many days before the book's date."""
    bought = book.purchases
    counts = ((bought.products & np.int64(bits)) != 0) & (bought.day > book.as_of.toordinal() - days)
    total: Floats = np.bincount(bought.account[counts], weights=bought.amount_usd[counts], minlength=len(book)).astype(float)
    return total


def _first_day(account: Whole, day: Whole, n: int) -> Whole:
    first = np.full(n, NEVER, dtype=np.int64)
    np.minimum.at(first, account, day)
    return first


def _yes_no(column: Floats) -> Texts:
    return np.where(np.isnan(column), UNKNOWN, np.where(column > 0, "yes", "no")).astype(object)
