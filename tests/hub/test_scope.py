"""Nobody sees what is not theirs, and a right taken away is gone at the next request."""

from __future__ import annotations

import ast
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage.store import open_reader
from tests.hub.conftest import PASSWORD, Clock

ROOT = Path(__file__).parents[2]
N_RANDOM_REQUESTS = 5_000
PAGES = ("/", "/overview", "/accounts", "/plays", "/reports", "/reports/new", "/reports/new?report=security")
Client = Any


@pytest.fixture
def signed_in(hub_store: Path) -> Callable[[str], Client]:
    """Opens a browser's worth of session for a name."""
    from django.test import Client as TestClient

    def open_session(name: str) -> Client:
        client = TestClient()
        answer = client.post("/sign-in", {"username": name, "password": PASSWORD})
        assert answer.status_code == 302
        return client

    return open_session


def _make_report(client: Client, **changes: Any) -> str:
    from reports import REPORTS
    from tests.scoring.books import CATALOGUE

    form = {"report": "security", "columns": REPORTS["security"].columns(CATALOGUE), "right": "0", "file_format": "csv"} | changes
    answer = client.post("/reports/new", form)
    assert answer.status_code == 302, answer.content
    return str(answer["Location"])


@pytest.mark.parametrize("page", PAGES)
def test_a_stranger_is_sent_to_sign_in(hub_store: Path, page: str) -> None:
    from django.test import Client as TestClient

    answer = TestClient().get(page)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/sign-in")


@pytest.mark.parametrize(
    ("name", "page", "status"),
    [(name, page, status) for page, statuses in {
        "/overview": (403, 403, 200, 403), "/accounts": (200, 200, 200, 403), "/plays": (200, 200, 200, 403), "/reports": (200, 200, 200, 403),
        "/reports/new": (200, 200, 200, 403), "/reports/new?report=surface": (200, 200, 200, 403),
    }.items() for name, status in zip(("one", "two", "chief", "nobody"), statuses, strict=True)],
)  # fmt: skip
def test_each_role_reads_its_pages_and_no_other(signed_in: Callable[[str], Client], name: str, page: str, status: int) -> None:
    answer = signed_in(name).get(page)
    assert answer.status_code == status
    assert {"one": "MarkerP2", "two": "MarkerP1", "nobody": "Marker"}.get(name, "no such marker") not in answer.content.decode()


def test_random_requests_never_serve_another_partners_row(signed_in: Callable[[str], Client], hub_store: Path) -> None:
    from hub.making import make_file
    from hub.models import ReportFile

    dice = random.Random(7)
    clients = {name: signed_in(name) for name in ("one", "two")}
    with open_reader(hub_store) as store:
        ids = [row["account_id"] for row in store.query("SELECT account_id FROM accounts")]
        documents = [row["document_id"] for row in store.query("SELECT document_id FROM documents")]
    for name, client in clients.items():
        location = _make_report(client, name=f"of {name}")
        client.post(location + "/make")
    for file in ReportFile.objects.filter(state=ReportFile.QUEUED):
        make_file(file.pk)
    n_served = 0
    for _ in range(N_RANDOM_REQUESTS):
        name = dice.choice(("one", "two"))
        kind = dice.randrange(6)
        if kind == 0:
            url = f"/accounts/{dice.choice(ids)}"
        elif kind == 1:
            url = f"/accounts/{dice.choice(ids)}/pages/{dice.choice(documents)}"
        elif kind == 2:
            query = {"product": dice.choice(("Azure", "Surface", "x")), "cluster": dice.choice(("", "Act now", "' OR 1=1 --")),
                     "text": dice.choice(("", "Marker", "%", "' OR '1'='1", "MarkerP1", "MarkerP2")), "page": dice.choice(("1", "2", "-1", "x"))}  # fmt: skip
            url = "/accounts?" + "&".join(f"{key}={value}" for key, value in query.items())
        else:
            url = dice.choice(("/files/{}", "/reports/{}", "/reports/{}")).format(dice.randrange(1, 12))
        answer = clients[name].get(url)
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        assert answer.status_code in (200, 404), url
        # A search says back what was searched for; the marker of an account's name goes on with " Company".
        assert f"Marker{'P2' if name == 'one' else 'P1'} Company".encode() not in body, f"{name} {url}"
        n_served += answer.status_code == 200 and b"Company" in body
    assert n_served > N_RANDOM_REQUESTS // 10


def test_a_revoked_right_is_gone_at_the_next_request(signed_in: Callable[[str], Client]) -> None:
    from hub.making import make_file, request_file
    from hub.models import ReportFile, SavedReport
    from hub.people import add_person, block, grant, revoke

    add_person("guest", PASSWORD)
    grant("guest", "report viewer", "P1", "")
    client = signed_in("guest")
    location = _make_report(client)
    file = make_file(request_file(SavedReport.objects.get(pk=int(location.split("/")[-1]))).pk)
    assert file.state == ReportFile.READY
    assert b"Company" in b"".join(client.get(f"/files/{file.pk}").streaming_content)
    revoke("guest", "P1")
    assert client.get("/accounts").status_code == 403
    assert client.get(f"/files/{file.pk}").status_code == 403
    grant("guest", "report viewer", "P2", "")
    assert client.get(f"/files/{file.pk}").status_code == 404
    assert b"no longer yours" in client.get(location).content
    assert make_file(request_file(file.saved).pk).state == ReportFile.FAILED
    block("guest")
    assert client.get("/accounts").status_code == 302


def test_five_failures_lock_a_name_for_a_while(hub_store: Path, clock: Clock) -> None:
    from django.test import Client as TestClient

    from hub.people import add_person

    add_person("clumsy", PASSWORD)
    client = TestClient()
    for _ in range(5):
        assert client.post("/sign-in", {"username": "clumsy", "password": "wrong"}).status_code == 401
    right = {"username": "clumsy", "password": PASSWORD}
    assert b"Too many failed attempts" in client.post("/sign-in", right).content
    clock.text = "2026-11-02T09:16:00Z"
    assert client.post("/sign-in", right).status_code == 302


def test_forms_without_their_token_are_refused(hub_store: Path) -> None:
    from django.test import Client as TestClient

    assert TestClient(enforce_csrf_checks=True).post("/sign-in", {"username": "one", "password": PASSWORD}).status_code == 403


def test_every_answer_carries_the_strict_policy(signed_in: Callable[[str], Client]) -> None:
    client = signed_in("chief")
    for page in (*PAGES, "/assets/hub.css", "/nothing"):
        answer = client.get(page)
        assert "default-src 'none'" in answer["Content-Security-Policy"]
        assert "unsafe" not in answer["Content-Security-Policy"]
        assert answer["X-Content-Type-Options"] == "nosniff"
        text = answer.content.decode()
        assert "<script" not in text
        assert " style=" not in text
        assert "http://" not in text.replace("http://www.w3.org", "")


def test_sign_ins_and_downloads_are_audited(signed_in: Callable[[str], Client]) -> None:
    from hub.making import make_file, request_file
    from hub.models import AuditEntry, SavedReport

    client = signed_in("one")
    saved = SavedReport.objects.get(pk=int(_make_report(client).split("/")[-1]))
    assert b"".join(client.get(f"/files/{make_file(request_file(saved).pk).pk}").streaming_content)
    actions = list(AuditEntry.objects.filter(username="one").order_by("-pk").values_list("action", flat=True)[:3])
    assert actions == ["download", "report created", "sign-in"]


def test_a_schedule_makes_its_file_once_a_month(signed_in: Callable[[str], Client], clock: Clock) -> None:
    from datetime import date

    from hub.making import make_due

    client = signed_in("two")
    location = _make_report(client, name="every month")
    client.post(location + "/schedule", {"day": "25"})
    made = []
    for day in (date(2026, 11, 24), date(2026, 11, 25), date(2026, 11, 26), date(2026, 12, 25)):
        clock.text = f"{day}T06:00:00Z"
        made.append([file.state for file in make_due(day) if file.saved.name == "every month"])
    assert made == [[], ["ready"], [], ["ready"]]
    assert b"by schedule" in client.get(location).content


def test_the_hub_asks_the_store_only_through_a_scope() -> None:
    for path in (ROOT / "hub").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom | ast.Import):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
                assert "sqlite3" not in names, path
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                assert node.func.attr not in ("query", "batches", "raw", "extra", "cursor", "open_writer"), f"{path}: {ast.unparse(node)}"
                assert node.func.attr not in ("value", "execute", "store"), f"{path}: {ast.unparse(node)}"
