"""Who may do what: every address of the hub, every role, every method. A new address without a row here fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hub.conftest import PASSWORD

# "one" owns the report and its file; "two" is of another partner, "local" sees that one's accounts in one country; "lead" is an executive of the first
# partner, "chief" of all.
PEOPLE = ("stranger", "nobody", "two", "local", "one", "lead", "chief")
IN, NO, SIGN_IN, GONE, WRONG_METHOD = 200, 403, 302, 404, 405
# Per address: what GET gives each of PEOPLE, then what POST does. 302 of a stranger leads to the sign-in page.
TABLE = {
    "home": ((302,) * 7, (302,) * 7),
    "sign-in": ((IN,) * 7, (401,) * 7),
    "sign-out": ((WRONG_METHOD,) * 7, (302,) * 7),
    "password": ((SIGN_IN, IN, IN, IN, IN, IN, IN), (SIGN_IN, 422, 422, 422, 422, 422, 422)),
    "audit-log": ((SIGN_IN, NO, NO, NO, NO, NO, IN), (WRONG_METHOD,) * 7),
    "overview": ((SIGN_IN, NO, NO, NO, NO, IN, IN), (WRONG_METHOD,) * 7),
    "accounts": ((SIGN_IN, NO, IN, IN, IN, IN, IN), (WRONG_METHOD,) * 7),
    "account": ((SIGN_IN, NO, GONE, GONE, IN, IN, IN), (WRONG_METHOD,) * 7),
    "archived-page": ((SIGN_IN, NO, GONE, GONE, IN, IN, IN), (WRONG_METHOD,) * 7),
    "plays": ((SIGN_IN, NO, IN, IN, IN, IN, IN), (WRONG_METHOD,) * 7),
    "my-reports": ((SIGN_IN, NO, IN, IN, IN, IN, IN), (WRONG_METHOD,) * 7),
    "new-report": ((SIGN_IN, NO, IN, IN, IN, IN, IN), (SIGN_IN, NO, IN, IN, IN, IN, IN)),
    "saved-report": ((SIGN_IN, NO, GONE, GONE, IN, GONE, GONE), (WRONG_METHOD,) * 7),
    "make-report": ((WRONG_METHOD,) * 7, (SIGN_IN, NO, GONE, GONE, 302, GONE, GONE)),
    "schedule-report": ((WRONG_METHOD,) * 7, (SIGN_IN, NO, GONE, GONE, 302, GONE, GONE)),
    "delete-report": ((WRONG_METHOD,) * 7, (SIGN_IN, NO, GONE, GONE, 302, GONE, GONE)),
    "download": ((SIGN_IN, NO, GONE, GONE, IN, GONE, GONE), (WRONG_METHOD,) * 7),
    "asset": ((IN,) * 7, (IN,) * 7),
}


def test_every_address_has_a_row(hub_store: Path) -> None:
    from hub.pages import urlpatterns

    assert {pattern.name for pattern in urlpatterns} == TABLE.keys()


@pytest.mark.parametrize(
    ("name", "method", "who", "status"),
    [
        (name, method, who, status)
        for name, statuses in TABLE.items()
        for method, row in zip(("GET", "POST"), statuses, strict=True)
        for who, status in zip(PEOPLE, row, strict=True)
    ],
)
def test_each_gets_what_the_table_says(hub_store: Path, name: str, method: str, who: str, status: int) -> None:
    from django.contrib.auth.models import User
    from django.test import Client
    from django.urls import reverse

    from hub.making import make_file, request_file
    from hub.models import SavedReport, SignInFailure
    from storage.store import open_reader

    saved = SavedReport.objects.create(
        user=User.objects.get(username="one"),
        name="a report of one",
        report="security",
        partner_global_id="P1",
        file_format="csv",
        created_at="",
    )
    file = make_file(request_file(saved).pk) if name == "download" else None
    with open_reader(hub_store) as store:
        event = next(
            store.query(
                "SELECT account_id, document_id FROM signal_events JOIN accounts USING (account_id) WHERE account_name LIKE 'MarkerP1%' LIMIT 1"
            )
        )
    arguments = {
        "account": {"account_id": event["account_id"]}, "archived-page": event, "asset": {"name": "hub.css"},
        "download": {"file_id": file.pk if file else 0},
        **{key: {"saved_id": saved.pk} for key in ("saved-report", "make-report", "schedule-report", "delete-report")},
    }.get(name)  # fmt: skip
    client = Client()
    if who != "stranger":
        client.force_login(User.objects.get(username=who))
    answer = client.get(reverse(name, kwargs=arguments)) if method == "GET" else client.post(reverse(name, kwargs=arguments), {"day": "25"})
    SignInFailure.objects.all().delete()
    SavedReport.objects.filter(pk=saved.pk).delete()
    assert answer.status_code == status
    if who == "stranger" and status == SIGN_IN and name not in ("home", "sign-out"):
        assert answer["Location"].startswith("/sign-in?next=")
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    assert b"MarkerP1 Company" not in body or who in ("one", "lead", "chief")
    assert PASSWORD.encode() not in body
