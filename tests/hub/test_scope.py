"""Nobody sees what is not theirs, and a right taken away is gone at the next request."""

from __future__ import annotations

import ast
import io
import json
import random
import re
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from pyarrow import parquet

from reports import REPORTS
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


# Whose markers each may read, as the name of an account begins and ends.
SEEN = {"one": "MarkerP1 Company", "two": "MarkerP2 Company", "local": "MarkerP2 Company", "lead": "MarkerP1 Company"}
COUNTRY_ENDED = re.compile(rb"Marker(P\d) Company \d+(?: of (\w\w))?")


def _read(answer: Any) -> bytes:
    """What a person reads in an answer: a page, a CSV file, the cells of a spreadsheet, the columns of a Parquet file."""
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    if "spreadsheet" in answer["Content-Type"]:
        with zipfile.ZipFile(io.BytesIO(body)) as parts:
            return b"\n".join(parts.read(name) for name in parts.namelist())
    if "parquet" in answer["Content-Type"]:
        return json.dumps(parquet.read_table(io.BytesIO(body)).to_pylist(), default=str).encode()
    return bytes(body)


def _strangers_markers(name: str, body: bytes) -> list[tuple[bytes, bytes]]:
    """(partner, country) of every marker in it that is not this person's to read."""
    own = b"P1" if name in ("one", "lead") else b"P2"
    found = COUNTRY_ENDED.findall(body)
    return [(partner, country) for partner, country in found if partner != own or (name == "local" and country not in (b"DE", b""))]


def test_random_requests_never_serve_another_partners_row(signed_in: Callable[[str], Client], hub_store: Path) -> None:
    """5,000 requests by four people: pages, texts of archived pages, downloads of every format, forms, and addresses of other people's things.

    Names, texts, titles and quotes of all accounts carry whose they are and where, so that anything served in the wrong place is seen.
    """
    from hub.making import make_file
    from hub.models import ReportFile, SavedReport

    dice = random.Random(7)
    clients = {name: signed_in(name) for name in SEEN}
    with open_reader(hub_store) as store:
        ids = [row["account_id"] for row in store.query("SELECT account_id FROM accounts")]
        documents = [row["document_id"] for row in store.query("SELECT document_id FROM documents")]
        evidence = [f"/accounts/{row['account_id']}/pages/{row['document_id']}" for row in store.query("SELECT * FROM signal_events")]
    for name, client in clients.items():
        for file_format in ("csv", "xlsx", "parquet"):
            client.post(
                _make_report(
                    client, name=f"of {name}", file_format=file_format, report=dice.choice(("security", "surface", "cloud-ai-platform"))
                )
                + "/make"
            )
    for file in ReportFile.objects.filter(state=ReportFile.QUEUED):
        make_file(file.pk)
    _wait_for_files()
    own_days = {saved.pk: (saved.user.username, saved.day_of_month) for saved in SavedReport.objects.select_related("user")}
    reports, files = [*own_days, max(own_days) + 1], list(ReportFile.objects.values_list("pk", flat=True))
    kinds = {
        "account": lambda: f"/accounts/{dice.choice(ids)}",
        "text": lambda: dice.choice([f"/accounts/{dice.choice(ids)}/pages/{dice.choice(documents)}", dice.choice(evidence)]),
        "accounts": lambda: "/accounts?" + urlencode({key: dice.choice(QUERY[key]) for key in dice.sample(sorted(QUERY), 3)}),
        "file": lambda: f"/files/{dice.choice(files)}",
        "report": lambda: f"/reports/{dice.choice(reports)}",
        "page": lambda: dice.choice(
            ("/", "/overview", "/audit", "/password", "/plays", "/reports", "/reports/new", "/reports/new?report=surface")
        ),
    }
    served: Counter[str] = Counter()
    for _ in range(N_RANDOM_REQUESTS):
        name, kind = dice.choice(sorted(SEEN)), dice.choice([*kinds, "post"])
        if kind == "post":
            mine = [pk for pk, (owner, _) in own_days.items() if owner == name]
            saved, action = dice.choice(reports), dice.choice(("schedule", "delete"))
            url = f"/reports/{saved}/{action}" if saved not in mine else "/reports/new"
            form = {
                "day": "3",
                "right": dice.choice(("0", "1", "7", "-1")),
                "report": "security",
                "columns": "AccountName",
                "file_format": "csv",
            }
            answer = clients[name].post(url, form | {"partner_global_id": "P1", "user": "1", "name": "x" if "new" in url else ""})
            SavedReport.objects.filter(name="x").delete()
        else:
            url = kinds[kind]()
            answer = clients[name].get(url)
        body = _read(answer)
        assert answer.status_code in (200, 302, 403, 404, 422), url
        assert _strangers_markers(name, body) == [], f"{name} {url}"
        content = str(answer.get("Content-Type")).split(";")[0]
        served[f"{kind} {content}"] += answer.status_code == 200 and SEEN[name].encode() in body
    assert {kind for kind, n in served.items() if n > 20} == {
        "account text/html", "accounts text/html", "text text/html", "report text/html", "file text/csv",
        "file application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "file application/vnd.apache.parquet",
    }, served  # fmt: skip
    assert {saved.pk: (saved.user.username, saved.day_of_month) for saved in SavedReport.objects.select_related("user")} == own_days


QUERY = {
    "product": ("Azure", "Surface", "x"), "cluster": ("", "", "Act now", "' OR 1=1 --"), "size": ("", "", "Small"), "country": ("", "", "DE", "GB"),
    "cohort": ("", "", "AzureOnPremMigration: Yes", "x: y"), "text": ("", "", "Marker", "%", "' OR '1'='1", "MarkerP1", "MarkerP2", '"', "a"),
    "page": ("1", "1", "2", "-1", "x"), "potential": ("", "", "0", "99999999999"), "industry": ("", "", "Retail"),
}  # fmt: skip


def _wait_for_files() -> None:
    from hub.models import ReportFile

    for _ in range(600):
        if not ReportFile.objects.filter(state__in=(ReportFile.QUEUED, ReportFile.RUNNING)).exists():
            return
        time.sleep(0.1)
    raise AssertionError("files are still waiting to be made")


def test_a_revoked_right_is_gone_at_the_next_request(signed_in: Callable[[str], Client], hub_store: Path) -> None:
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
    with open_reader(hub_store) as store:
        event = next(
            store.query(
                "SELECT account_id, document_id FROM signal_events JOIN accounts USING (account_id) WHERE account_name LIKE 'MarkerP1%'"
            )
        )
    evidence = f"/accounts/{event['account_id']}/pages/{event['document_id']}"
    assert b"MarkerP1" in client.get(evidence).content
    revoke("guest", "P1")
    for page in ("/accounts", "/plays", "/reports", location, f"/files/{file.pk}", evidence, evidence.split("/pages")[0]):
        assert client.get(page).status_code == 403, page
    assert client.post(location + "/make").status_code == 403
    grant("guest", "report viewer", "P2", "")
    assert client.get(f"/files/{file.pk}").status_code == 404
    assert b"no longer yours" in client.get(location).content
    assert make_file(request_file(file.saved).pk).state == ReportFile.FAILED
    assert client.get(evidence).status_code == 404
    grant("guest", "executive report viewer", "", "")
    assert [client.get(page).status_code for page in ("/overview", "/audit")] == [200, 200]
    grant("guest", "report viewer", "", "")
    assert [client.get(page).status_code for page in ("/overview", "/audit", "/accounts")] == [403, 403, 200]
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
