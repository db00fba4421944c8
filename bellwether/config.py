"""bellwether.toml: found, read once, checked, and turned into a frozen record."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from storage.errors import ConfigError

CONFIG_NAME = "bellwether.toml"


@dataclass(frozen=True, slots=True)
class CrawlSettings:
    """How politely and how far to crawl; see the comments in default_config.toml."""

    contact: str = ""
    delay_s: float = 1.0
    n_concurrent: int = 32
    timeout_s: float = 30.0
    max_body_mib: float = 8.0
    revisit_hours: float = 20.0
    max_articles_per_account: int = 50
    max_requests_per_site: int = 200
    article_max_age_days: int = 730
    nameservers: tuple[str, ...] = ()
    allow_nets: tuple[str, ...] = ()
    loopback_ports: Mapping[int, int] = field(default_factory=dict)
    frozen_clock: str | None = None
    fingerprints: Path | None = None
    opt_out: Path | None = None
    max_failed_share: float = 0.5
    prometheus_file: Path | None = None


@dataclass(frozen=True, slots=True)
class ExtractSettings:
    """Limits of the sandbox, and models that replace the shipped ones."""

    jobs: int = 0
    memory_mib: int = 1024
    timeout_s: float = 20.0
    encoder: Path | None = None
    classifier: Path | None = None


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """After how many days archived pages and events are let go; None keeps them."""

    archive_days: int | None = None
    event_days: int | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """Everything a command needs to know; all paths are absolute."""

    path: Path | None
    db: Path
    archive: Path
    archive_url: str
    lake: str
    catalogue: Path | None
    seed: int
    wait_s: float
    retention: RetentionSettings
    crawl: CrawlSettings
    extract: ExtractSettings


def load_config(db: Path | None = None, start: Path | None = None) -> Config:
    """The configuration of the folder (or the nearest above it that has one), else the defaults.

    Args:
        db: the store named on the command line; before ``BELLWETHER_DB`` and the file.
        start: where to look; the current folder.

    Raises:
        ConfigError: unknown key or value of a wrong kind; the message gives key, value and file.
    """
    path = find_config(start or Path.cwd())
    folder = path.parent if path else (start or Path.cwd())
    reader = _Reader(_parse(path) if path else {}, path)
    chosen_db = db or (Path(os.environ["BELLWETHER_DB"]) if os.environ.get("BELLWETHER_DB") else None)
    catalogue = folder / reader.text("catalogue.file", "catalogue.toml")
    config = Config(
        path=path,
        db=(chosen_db or folder / reader.text("storage.db", "bellwether.db")).absolute(),
        archive=(folder / reader.text("storage.archive", "archive")).absolute(),
        archive_url=reader.text("storage.archive_url", ""),
        lake=_place(folder, reader.text("storage.lake", "lake")),
        catalogue=catalogue.absolute() if catalogue.exists() else None,
        seed=int(reader.number("score.seed", 20261101)),
        wait_s=reader.number("storage.wait_s", 0, minimum=0),
        retention=RetentionSettings(
            archive_days=int(reader.number("retention.archive_days", 0, minimum=0)) or None,
            event_days=int(reader.number("retention.event_days", 0, minimum=0)) or None,
        ),
        crawl=_crawl_settings(reader, folder),
        extract=_extract_settings(reader, folder),
    )
    reader.refuse_unknown()
    return config


def _place(folder: Path, text: str) -> str:
    """A URL as it is, a path in full."""
    return text if "://" in text else str((folder / text).absolute())


def find_config(start: Path) -> Path | None:
    """bellwether.toml in the folder or the nearest one above it."""
    for folder in (start.absolute(), *start.absolute().parents):
        if (folder / CONFIG_NAME).is_file():
            return folder / CONFIG_NAME
    return None


def _crawl_settings(reader: _Reader, folder: Path) -> CrawlSettings:
    default = CrawlSettings()
    fingerprints, opt_out, gauges = (reader.text(f"crawl.{key}", "") for key in ("fingerprints", "opt_out", "prometheus_file"))
    ports = reader.table("crawl.loopback_ports")
    return CrawlSettings(
        contact=reader.text("crawl.contact", ""),
        delay_s=reader.number("crawl.delay_s", default.delay_s, minimum=0),
        n_concurrent=int(reader.number("crawl.n_concurrent", default.n_concurrent, minimum=1)),
        timeout_s=reader.number("crawl.timeout_s", default.timeout_s, minimum=0.1),
        max_body_mib=reader.number("crawl.max_body_mib", default.max_body_mib, minimum=0.01),
        revisit_hours=reader.number("crawl.revisit_hours", default.revisit_hours, minimum=0),
        max_articles_per_account=int(reader.number("crawl.max_articles_per_account", default.max_articles_per_account, minimum=0)),
        article_max_age_days=int(reader.number("crawl.article_max_age_days", default.article_max_age_days, minimum=1)),
        nameservers=reader.texts("crawl.nameservers"),
        allow_nets=reader.texts("crawl.allow_nets"),
        loopback_ports={int(port): int(stand_in) for port, stand_in in ports.items()},
        frozen_clock=reader.text("crawl.frozen_clock", "") or None,
        max_requests_per_site=int(reader.number("crawl.max_requests_per_site", default.max_requests_per_site, minimum=1)),
        opt_out=(folder / opt_out).absolute() if opt_out else None,
        fingerprints=(folder / fingerprints).absolute() if fingerprints else None,
        max_failed_share=reader.number("crawl.max_failed_share", default.max_failed_share, minimum=0),
        prometheus_file=(folder / gauges).absolute() if gauges else None,
    )


def _extract_settings(reader: _Reader, folder: Path) -> ExtractSettings:
    default = ExtractSettings()
    encoder, classifier = reader.text("extract.encoder", ""), reader.text("extract.classifier", "")
    return ExtractSettings(
        jobs=int(reader.number("extract.jobs", 0, minimum=0)),
        memory_mib=int(reader.number("extract.memory_mib", default.memory_mib, minimum=256)),
        timeout_s=reader.number("extract.timeout_s", default.timeout_s, minimum=1),
        encoder=folder / encoder if encoder else None,
        classifier=folder / classifier if classifier else None,
    )


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no valid TOML: {error}") from error


class _Reader:
    """Takes values out of a nested table by dotted key, and knows which keys nobody asked for."""

    def __init__(self, table: dict[str, Any], path: Path | None) -> None:
        self._table = table
        self._path = path
        self._asked: set[str] = set()

    def text(self, key: str, default: str) -> str:
        value = self._take(key, default)
        if not isinstance(value, str):
            raise self._error(key, value, "must be a text")
        return value

    def number(self, key: str, default: float, minimum: float | None = None) -> float:
        value = self._take(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._error(key, value, "must be a number")
        if minimum is not None and value < minimum:
            raise self._error(key, value, f"must be >= {minimum:g}")
        return float(value)

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._take(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._error(key, value, "must be a list of texts")
        return tuple(value)

    def table(self, key: str) -> dict[str, Any]:
        value = self._take(key, {})
        if not isinstance(value, dict):
            raise self._error(key, value, "must be a table")
        self._asked.update(f"{key}.{name}" for name in value)
        return value

    def refuse_unknown(self) -> None:
        for key, value in _leaves(self._table, ""):
            if key not in self._asked:
                near = [asked for asked in sorted(self._asked) if asked.split(".")[0] == key.split(".")[0]]
                raise self._error(
                    key, value, f"is no key we know; here are: {', '.join(near) or 'storage, retention, catalogue, crawl, extract, score'}"
                )

    def _take(self, key: str, default: Any) -> Any:
        self._asked.add(key)
        value: Any = self._table
        for part in key.split("."):
            if not isinstance(value, dict) or part not in value:
                return default
            value = value[part]
        return value

    def _error(self, key: str, value: Any, problem: str) -> ConfigError:
        return ConfigError(f"{key} {problem}, got {value!r} @ {self._path}")


def _leaves(table: dict[str, Any], prefix: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in table.items():
        key = f"{prefix}{name}"
        found.extend(_leaves(value, f"{key}.") if isinstance(value, dict) else [(key, value)])
    return found
