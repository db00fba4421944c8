"""The jobs behind ``bellwether sources``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from bellwether.config import load_config
from bellwether.job_log import writing_job
from crawler import sources
from sandbox import Sandbox
from storage.clock import now_text
from storage.store import Row, open_reader
from urls import normalise_domain


def list_sources(db: Path | None, domain: str) -> list[Row]:
    """Kind, URL, where found, last visit and pace of every source of an account."""
    with open_reader(load_config(db).db) as store:
        return list(
            store.query(
                "SELECT s.kind, s.url, s.found_on, s.checked_at, s.revisit_hours FROM sources s JOIN accounts a USING (account_id)"
                " WHERE a.domain = ? ORDER BY 1, 2",
                (normalise_domain(domain),),
            )
        )


def add_source(db: Path | None, domain: str, url: str, kind: str) -> dict[str, Any]:
    """The source that is there now."""
    with writing_job(load_config(db), "sources add") as (store, _):
        source = sources.add_source(store, normalise_domain(domain), url, kind, now_text())
    return {"kind": source.kind, "url": source.url}


def import_opml(db: Path | None, file: Path) -> dict[str, Any]:
    """What became of the file's feeds."""
    with writing_job(load_config(db), "sources import") as (store, _), Sandbox(1) as sandbox:
        return dataclasses.asdict(sources.import_opml(store, sandbox, file, now_text()))


def export_opml(db: Path | None) -> str:
    """OPML."""
    with open_reader(load_config(db).db) as store:
        return sources.export_opml(store)
