"""The hub keeps what docs/security.md says of it, requirement by requirement of OWASP ASVS 5.0, level 1."""

from __future__ import annotations

import ast
import http.client
import os
import re
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from storage.store import create_store
from tests.hub.conftest import PASSWORD

ROOT = Path(__file__).parents[2]
HOST = "hub.example.test"
HOSTILE = """<script>alert(1)</script>"'><img src=x onerror=alert(2)>"""
LEVEL_1 = (
    "1.2.1 1.2.2 1.2.3 1.2.4 1.2.5 1.3.1 1.3.2 1.5.1 2.1.1 2.2.1 2.2.2 2.3.1 3.2.1 3.2.2 3.3.1 3.4.1 3.4.2 3.5.1 3.5.2 3.5.3 4.1.1 4.4.1 "
    "5.2.1 5.2.2 5.3.1 5.3.2 6.1.1 6.2.1 6.2.2 6.2.3 6.2.4 6.2.5 6.2.6 6.2.7 6.2.8 6.3.1 6.3.2 6.4.1 6.4.2 7.2.1 7.2.2 7.2.3 7.2.4 7.4.1 7.4.2 "
    "8.1.1 8.2.1 8.2.2 8.3.1 9.1.1 9.1.2 9.1.3 9.2.1 10.4.1 10.4.2 10.4.3 10.4.4 10.4.5 11.3.1 11.3.2 11.4.1 12.1.1 12.2.1 12.2.2 13.4.1 "
    "14.2.1 14.3.1 15.1.1 15.2.1 15.3.1"
).split()
Client = Any


def _client(name: str = "") -> Client:
    from django.test import Client as TestClient

    client = TestClient()
    if name:
        assert client.post("/sign-in", {"username": name, "password": PASSWORD}).status_code == 302
    return client


def test_the_table_names_every_requirement_once_and_tests_that_there_are() -> None:
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in text.splitlines() if re.match(r"\| \d+\.\d+\.\d+", line)]
    named = [number for row in rows for number in re.findall(r"\d+\.\d+\.\d+", row[1])]
    assert sorted(named) == sorted(LEVEL_1)
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    tests = set(re.findall(r"`(test_\w+)`", text))
    assert len(tests) > 20
    assert {test for test in tests if f"def {test}(" not in sources} == set()
    for path in re.findall(r"`((?:tests|hub|reports|storage|docs|crawler)/[\w/.]+)`", text):
        assert (ROOT / path).exists(), path


def test_hostile_text_is_shown_and_never_markup(hub_store: Path) -> None:
    client = _client("chief")
    form = {"report": "surface", "columns": "AccountName", "right": "0", "file_format": "csv", "name": HOSTILE}
    saved = client.post("/reports/new", form)["Location"]
    stranger = _client()
    answers = [
        stranger.post("/sign-in", {"username": HOSTILE, "password": "x", "next": HOSTILE}),
        *(client.get(page) for page in (saved, "/reports", "/audit", f"/accounts?{urlencode({'text': HOSTILE})}", f"/audit?{urlencode({'who': HOSTILE})}")),
    ]  # fmt: skip
    client.post(saved + "/delete")
    for answer in answers:
        body = answer.content.decode()
        assert "<script" not in body
        assert "<img src=x" not in body
        assert escape(HOSTILE)[:20] in body


@pytest.mark.parametrize(
    "wanted", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "evil.example", "\t//evil.example"]
)
def test_signing_in_leads_to_no_other_site(hub_store: Path, wanted: str) -> None:
    answer = _client().post("/sign-in", {"username": "one", "password": PASSWORD, "next": wanted})
    assert answer["Location"] == "/"
    assert _client().post("/sign-in", {"username": "one", "password": PASSWORD, "next": "/plays"})["Location"] == "/plays"


@pytest.mark.parametrize(
    "changes",
    [
        {"columns": "passwords"}, {"columns": []}, {"right": "1"}, {"right": "-1"}, {"right": "x"}, {"file_format": "exe"}, {"as_of": "1999-01-01"},
        {"clusters": "All"}, {"cohorts": "x: y"}, {"sizes": "Corporate"}, {"industries": "' OR 1=1 --"}, {"countries": "XX"}, {"min_potential": "-5"},
    ],
)  # fmt: skip
def test_the_server_checks_every_field_of_a_form(hub_store: Path, changes: dict[str, Any]) -> None:
    from hub.models import SavedReport

    form = {"report": "security", "columns": "AccountName", "right": "0", "file_format": "csv"}
    n_saved = SavedReport.objects.count()
    assert _client("one").post("/reports/new", form | changes).status_code == 422
    assert SavedReport.objects.count() == n_saved


def test_no_step_can_be_left_out(hub_store: Path) -> None:
    """A form without its data set comes back to the first step; a file that was not made is not there."""
    client = _client("one")
    answer = client.post("/reports/new", {"columns": "AccountName", "right": "0", "file_format": "csv"})
    assert b"Step 1 of 2" in answer.content
    saved = client.post("/reports/new", {"report": "security", "columns": "AccountName", "right": "0", "file_format": "csv"})["Location"]
    from hub.making import request_file
    from hub.models import SavedReport

    file = request_file(SavedReport.objects.get(pk=int(saved.rsplit("/", 1)[1])))
    assert client.get(f"/files/{file.pk}").status_code == 404
    client.post(saved + "/delete")


def test_every_answer_says_what_it_is_and_is_for_no_other_site(hub_store: Path) -> None:
    from hub.making import make_file, request_file
    from hub.models import SavedReport

    client, kinds = _client("one"), {}
    for file_format in ("csv", "xlsx", "parquet"):
        form = {"report": "security", "columns": "AccountName", "right": "0", "file_format": file_format}
        saved = SavedReport.objects.get(pk=int(client.post("/reports/new", form)["Location"].rsplit("/", 1)[1]))
        answer = client.get(f"/files/{make_file(request_file(saved).pk).pk}")
        kinds[file_format] = answer["Content-Type"].split(";")[0]
        assert answer["Content-Disposition"].startswith("attachment")
        b"".join(answer.streaming_content)
        saved.delete()
    assert kinds == {
        "csv": "text/csv", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "parquet": "application/vnd.apache.parquet",
    }  # fmt: skip
    for page in ("/accounts", "/nothing", "/overview", "/assets/hub.css", "/assets/mark.svg", "/assets/other"):
        answer = client.get(page, HTTP_ORIGIN="https://evil.example")
        assert "charset=utf-8" in answer["Content-Type"], page
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]
        assert answer["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize(
    "path",
    [
        "/.git/config",
        "/assets/../hub/setup.py",
        "/assets/..%2f..%2fhub.secret",
        "/files/..%2fhub.db",
        "/hub.db",
        "/assets/",
        "/static/hub.css",
    ],
)
def test_no_file_but_ours_is_served(hub_store: Path, path: str) -> None:
    assert _client("chief").get(path).status_code == 404


def test_a_session_begins_at_sign_in_and_ends_at_sign_out(hub_store: Path) -> None:
    client = _client()
    client.cookies["bellwether_session"] = "chosen-by-somebody-else"
    client.post("/sign-in", {"username": "one", "password": PASSWORD})
    first = client.cookies["bellwether_session"].value
    assert re.fullmatch(r"[a-z0-9]{32}", first)  # 165 bits of the system's randomness
    client.post("/sign-in", {"username": "one", "password": PASSWORD})
    second = client.cookies["bellwether_session"].value
    assert second != first
    answer = client.post("/sign-out")
    assert '"cache"' in answer["Clear-Site-Data"]
    for key in (first, second):
        stolen = _client()
        stolen.cookies["bellwether_session"] = key
        assert stolen.get("/accounts").status_code == 302
    assert _client("one").get("/accounts")["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "password",
    ["short pass", "Password1234", "12345678901234", "qwertyuiopasdf", "aaaaaaaaaaaaaa", "monkeymonkey", "!!Football2026!!", "mnbvcxzlkjhgfds",
     "iloveyou 2026"],
)  # fmt: skip
def test_easily_guessed_passwords_are_refused(hub_store: Path, password: str) -> None:
    from hub.people import add_person
    from storage.errors import InputError

    with pytest.raises(InputError, match="refused"):
        add_person("careless", password)


@pytest.mark.parametrize(
    "password",
    [
        "all lower case letters",
        "ΚΑΛΗΜΕΡΑ ΚΟΣΜΕ 水",
        "  spaces around it  ",
        "a long line, word for word, " * 3 + "as some people like it",
        "8f3k-29dk-x0p1",
    ],
)
def test_any_other_password_is_taken_exactly_as_it_is(hub_store: Path, password: str) -> None:
    from hub.models import SignInFailure
    from hub.people import add_person

    add_person("exact", password)
    for tried, status in ((password, 302), (password.swapcase(), 401), (password.strip() + "x", 401), (password[:-1], 401)):
        assert _client().post("/sign-in", {"username": "exact", "password": tried}).status_code == status
    SignInFailure.objects.all().delete()


def test_password_fields_hide_what_is_written_and_help_password_keepers(hub_store: Path) -> None:
    for page, client in (("/sign-in", _client()), ("/password", _client("one"))):
        fields = re.findall(r"<input[^>]*password[^>]*>", client.get(page).content.decode())
        assert fields
        assert all('type="password"' in field and re.search(r'autocomplete="(current|new)-password"', field) for field in fields)


def test_another_sites_name_leads_nowhere(hub_store: Path) -> None:
    """Not even on loopback, where a name that suddenly points to this machine would carry a browser's session here."""
    assert _client("one").get("/accounts", HTTP_HOST="evil.example").status_code == 400


def test_what_the_hub_keeps_is_its_own_users_alone(hub_store: Path) -> None:
    for name in ("hub.db", "hub.secret"):
        assert stat.S_IMODE((hub_store.parent / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((hub_store.parent / "files").stat().st_mode) == 0o700


def test_the_hub_runs_no_code_and_starts_no_program() -> None:
    """And no XML of strangers brings in what it names: every parser of the program refuses entities and the network."""
    for room in ("hub", "reports"):
        for path in (ROOT / room).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
            modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
            modules |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
            assert not calls & {"eval", "exec", "compile", "os.system", "os.popen", "__import__"}, path
            assert not modules & {"subprocess", "pickle", "marshal", "shelve", "ctypes"}, path
    for room in ("crawler", "intake", "signals", "storage", "bellwether", "hub", "reports"):
        for path in (ROOT / room).rglob("*.py"):
            for parser in re.findall(r"XMLParser\([^)]*\)", path.read_text(encoding="utf-8")):
                assert "resolve_entities=False" in parser, path
                assert "no_network=True" in parser, path


def test_plain_http_is_refused_beyond_this_machine(tmp_path: Path) -> None:
    create_store(tmp_path / "bellwether.db")
    done = _command(tmp_path, "serve", "--address", "0.0.0.0", "--port", "1")
    assert done.returncode == 2
    assert "in clear" in done.stderr


@pytest.fixture(scope="module")
def public_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A hub served as behind a TLS proxy, and its port."""
    folder = tmp_path_factory.mktemp("public")
    create_store(folder / "bellwether.db")
    assert _command(folder, "hub-user", "list").stdout == ""  # nobody has an account that nobody made
    assert _command(folder, "hub-user", "add", "sam", given=PASSWORD + "\n").returncode == 0
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "bellwether", "serve", "--public-host", HOST, "--port", str(port)]
    server = subprocess.Popen(command, cwd=folder, env=_environment(folder))
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield port
    finally:
        server.terminate()
        server.wait(timeout=20)


def test_behind_tls_cookies_are_bound_to_the_host_and_https_is_kept(public_hub: int) -> None:
    page = _ask(public_hub, "GET", "/sign-in")
    assert page.status == 200
    token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', page.body)
    assert token
    form = urlencode({"csrfmiddlewaretoken": token[1], "username": "sam", "password": PASSWORD})
    headers = {
        "Cookie": page.cookies[0].split(";")[0],
        "Referer": f"https://{HOST}/sign-in",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    answer = _ask(public_hub, "POST", "/sign-in", form, headers)
    assert answer.status == 302
    assert {cookie.split("=")[0] for cookie in [*page.cookies, *answer.cookies]} == {"__Host-session", "__Host-csrf"}
    for cookie in [*page.cookies, *answer.cookies]:
        assert {"secure", "httponly", "samesite=lax", "path=/"} <= {part.strip().lower() for part in cookie.split(";")[1:]}
        assert "domain=" not in cookie.lower()
    for each in (page, answer, _ask(public_hub, "GET", "/nothing"), _ask(public_hub, "GET", "/assets/hub.css")):
        assert each.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert _ask(public_hub, "POST", "/sign-in", form, headers | {"Referer": "https://evil.example/"}).status == 403


def test_behind_tls_plain_requests_are_sent_to_https_and_strange_ones_refused(public_hub: int) -> None:
    plain = _ask(public_hub, "GET", "/sign-in", headers={"X-Forwarded-Proto": "http"})
    assert (plain.status, plain.headers["Location"]) == (301, f"https://{HOST}/sign-in")
    assert not plain.cookies
    strange = _ask(public_hub, "GET", "/sign-in", headers={"Host": "evil.example"})
    assert strange.status == 400
    assert "Traceback" not in strange.body
    assert _ask(public_hub, "POST", "/sign-in", "x", {"Content-Length": "600000"}).status == 413
    assert "waitress" not in str(plain.headers).lower()


class _Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.headers, self.body = response.status, response.headers, response.read().decode()
        self.cookies = response.headers.get_all("Set-Cookie", [])


def _ask(port: int, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None) -> _Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, {"Host": HOST, "X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"} | (headers or {}))
    answer = _Answer(connection.getresponse())
    connection.close()
    return answer


def _environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "BELLWETHER_DB": str(folder / "bellwether.db")}


def _command(folder: Path, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bellwether", *arguments]
    return subprocess.run(command, input=given, text=True, capture_output=True, cwd=folder, env=_environment(folder), timeout=120)
