"""No contact data reaches the store."""

from __future__ import annotations

import random

import pytest

from signals.documents import parse_response
from signals.privacy import REMOVED, remove_contacts
from storage.archive import ArchivedResponse

NAMES = "ingrid.solberg tomas.arrieta p.okonkwo yuki mary-jane.doyle sales+press anneli_k x.y.z O'Brien r2d2".split()
HOSTS = "northmill.test kaapse-wijn.co.za hafen-werk.de mueller-söhne.test a.b.example.org tiny.io".split()
PHONES = (
    "+44 20 7946 {a:04d}", "+49 (0)40 {b:07d}", "+1 415 555 {a:04d}", "+33 1 42 68 {c:02d} {d:02d}", "+81-3-5555-{a:04d}", "+27 21 555 {a:04d}",
    "Tel.: 0511 {b:07d}", "phone (212) 555-{a:04d}", "212-555-{a:04d}", "Mobile: 07700 900{c:02d}{d:02d}", "Fax 08{c:02d} {b:07d}", "+91 98765 4{a:04d}",
)  # fmt: skip
EMAILS = ("{n}@{h}", "mailto:{n}@{h}", "{n} (at) {h}", "{n}[at]{h}", "<{n}@{h}>", "{n}@{h}.")


def _contacts(n: int) -> list[str]:
    order = random.Random(20261101)
    found = []
    for i in range(n):
        if i % 2:
            found.append(order.choice(EMAILS).format(n=order.choice(NAMES) + str(i), h=order.choice(HOSTS)))
        else:
            numbers = {
                "a": order.randrange(1000, 9999),
                "b": order.randrange(1_000_000, 9_999_999),
                "c": order.randrange(10, 99),
                "d": order.randrange(10, 99),
            }
            found.append(order.choice(PHONES).format(**numbers))
    return found


def test_five_hundred_planted_contacts_leave_none() -> None:
    contacts = _contacts(500)
    paragraphs = "".join(
        f"<p>We have moved into the new hall on the quay. Write to us or ring, {contact}, about visits.</p>" for contact in contacts
    )
    page = f"<html><head><title>New hall</title></head><body><article><h1>New hall</h1>{paragraphs}</article></body></html>"
    text = parse_response(
        ArchivedResponse("https://hall.test/news", 200, (("Content-Type", "text/html"),), page.encode(), "2026-11-01T06:00:00Z")
    )["text"]
    left = [contact for contact in contacts if contact.strip("<>.").removeprefix("mailto:") in text]
    digits = [run for run in "".join(char if char.isdigit() else " " for char in text).split() if len(run) >= 3]
    assert left == []
    assert "@" not in text
    assert digits == []
    assert text.count(REMOVED) > 400


@pytest.mark.parametrize(
    "sentence",
    [
        "Revenue rose to 12,450,000 euros in 2025, from 9 800 000.",
        "Version 4.12.0-rc1 was released on 2026-03-14 at 10:30.",
        "We raised $4,500,000 at 1.2 million users; ISO 27001:2022 and EN 60601-1-2 were passed.",
        "Orders of 1 200 000 000 kronor, tender 2026/S 112-345678.",
        "We look at Tuesdays and meet at noon, dot by dot, at mill.test.",
    ],
)
def test_figures_dates_and_versions_stay(sentence: str) -> None:
    assert remove_contacts(sentence) == sentence


def test_a_contact_block_goes_and_the_text_after_it_stays() -> None:
    text = "We opened.\n\nMedia Contact\nIngrid Solberg\nHead of Communications\nNorthmill\n\nAbout Northmill\nNorthmill makes paper."
    assert remove_contacts(text) == f"We opened.\n\n{REMOVED}\n\nAbout Northmill\nNorthmill makes paper."
