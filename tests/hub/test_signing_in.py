"""Nobody guesses a password faster than the lock counts, and everyone may change their own."""

from __future__ import annotations

import http.client
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread
from urllib.parse import urlencode

from tests.hub.conftest import PASSWORD


def _try(port: int, password: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("GET", "/sign-in")
    page = connection.getresponse()
    cookie = str(page.getheader("Set-Cookie")).split(";")[0]
    token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', page.read().decode())
    assert token
    form = urlencode({"csrfmiddlewaretoken": token[1], "username": "hasty", "password": password})
    connection.request("POST", "/sign-in", form, {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"})
    answer = connection.getresponse().read().decode()
    connection.close()
    return "locked" if "Too many failed attempts" in answer else "looked at"


def test_parallel_wrong_passwords_cannot_outrun_the_lock(hub_store: Path) -> None:
    """Forty at once against a real server: five passwords are looked at, and the right one no more."""
    import waitress

    from hub.people import add_person
    from hub.serving import application

    add_person("hasty", PASSWORD)
    server = waitress.create_server(application(), host="127.0.0.1", port=0, threads=16)
    Thread(target=server.run, daemon=True).start()
    with ThreadPoolExecutor(40) as callers:
        answers = Counter(callers.map(lambda i: _try(server.effective_port, f"wrong password {i}"), range(40)))
    assert answers == {"looked at": 5, "locked": 35}
    assert _try(server.effective_port, PASSWORD) == "locked"
    server.close()


def test_a_password_is_changed_by_who_knows_it_and_ends_other_sessions(hub_store: Path) -> None:
    from django.test import Client

    from hub.people import add_person

    add_person("careful", PASSWORD)
    here, elsewhere = Client(), Client()
    for client in (here, elsewhere):
        client.post("/sign-in", {"username": "careful", "password": PASSWORD})
    new = "a rather long new sentence " * 25  # longer passwords than anyone would want are read whole
    for present, first, second, status in (
        ("wrong", new, new, 422), (PASSWORD, new, new + "x", 422), (PASSWORD, "password1234", "password1234", 422), (PASSWORD, new, new, 200),
    ):  # fmt: skip
        assert here.post("/password", {"present": present, "new": first, "again": second}).status_code == status
    assert here.get("/password").status_code == 200
    assert elsewhere.get("/password").status_code == 302
    assert Client().post("/sign-in", {"username": "careful", "password": new[:-1]}).status_code == 401
    assert Client().post("/sign-in", {"username": "careful", "password": new}).status_code == 302
