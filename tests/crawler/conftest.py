"""A crawl under test: its own folder, store and configuration, run as the command an operator runs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.ids import content_key
from storage.records import Account, FrontierUrl, Source
from storage.store import Row, Store, create_store, open_reader, open_writer
from tests.crawler.loopback import Names, Records, Web, write_certificate

ROOT = Path(__file__).parents[2]
AUDIT = Path(__file__).parent / "audit"
NOW = "2026-11-01T06:00:00Z"


class Crawl:
    """A store, sites on loopback, and the commands that bring the two together."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.db = folder / "bellwether.db"
        self.connect_log = folder / "connects.txt"
        self._closing: list[Any] = []
        create_store(self.db)

    def serve(self, web: Web, records: Records, https: bool = False) -> None:
        """Sites over HTTP, and over HTTPS if asked, on 127.0.0.1; names from a DNS server beside them."""
        names = Names(records)
        certificate = write_certificate(self.folder / "site.pem", ["site.test"]) if https else None
        self.ports = {80: web.listen(), 443: web.listen(certificate=certificate) if https else _closed_port()}
        self.names = names
        self._closing += [web, names]
        self.configure()

    def configure(self, now: str = NOW, **settings: object) -> None:
        """bellwether.toml; only 127.0.0.1 may be reached."""
        values = {"delay_s": 0.0, "timeout_s": 5, **settings}
        lines = "\n".join(f"{key} = {value}" for key, value in values.items())
        ports = "\n".join(f"{port} = {stand_in}" for port, stand_in in self.ports.items())
        (self.folder / "bellwether.toml").write_text(
            f'[crawl]\nnameservers = ["127.0.0.1:{self.names.port}"]\nallow_nets = ["127.0.0.1/32"]\nfrozen_clock = "{now}"\n'
            f"{lines}\n[crawl.loopback_ports]\n{ports}\n"
        )

    def add_accounts(self, *domains: str) -> None:
        """Accounts by domain."""
        with open_writer(self.db, "test") as store:
            store.save([Account(account_id(d), d, d.title(), None, None, None, None, None, "2026-01-01") for d in domains])

    def add_sources(self, domain: str, *urls: str, kind: str = "newsroom") -> None:
        """Sources as if they had been found."""
        with open_writer(self.db, "test") as store:
            store.save([Source(content_key("source", url), account_id(domain), kind, url, "test", NOW, None, None, None) for url in urls])

    def add_frontier(self, domain: str, *urls: str) -> None:
        """Pages as if they had been found."""
        with open_writer(self.db, "test") as store:
            keys = [(content_key("frontier", account_id(domain), url), url) for url in urls]
            store.save([FrontierUrl(key, account_id(domain), url, "article", None, "test", NOW, "due", None, 0) for key, url in keys])

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """``bellwether ARGUMENTS`` in the folder."""
        variables = {**os.environ, "PYTHONPATH": f"{AUDIT}:{ROOT}", "CONNECT_LOG": str(self.connect_log), **environment}
        return subprocess.Popen(
            [sys.executable, "-m", "bellwether", *arguments],
            cwd=self.folder,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, timeout_s: float = 300, **environment: str) -> str:
        """The same, to its good end; what it printed."""
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=timeout_s)
        assert process.returncode == 0, out + err
        return out + err

    def rows(self, sql: str) -> list[Row]:
        """Rows of the store."""
        with open_reader(self.db) as store:
            return list(store.query(sql))

    def reasons(self) -> dict[str, str]:
        """Subject → reason of every failure."""
        return {row["subject"]: row["reason"] for row in self.rows("SELECT subject, reason FROM failures")}

    def connected(self) -> set[str]:
        """Every address that was connected or sent to."""
        return {line.split()[0] for line in self.connect_log.read_text().splitlines()}

    def store(self) -> Store:
        """The store, to read."""
        return open_reader(self.db)

    def close(self) -> None:
        """Ends what serves."""
        for server in self._closing:
            server.close()


def account_id(domain: str) -> str:
    """The key of a test account."""
    return content_key("account", domain)


def _closed_port() -> int:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def crawl(tmp_path: Path) -> Iterator[Crawl]:
    """A crawl in a folder of its own."""
    made = Crawl(tmp_path)
    yield made
    made.close()
