"""The crawler's configuration, put together from bellwether.toml."""

from __future__ import annotations

from pathlib import Path

from bellwether.config import Config
from crawler.config import CrawlConfig
from storage.errors import ConfigError
from urls import DomainError, normalise_domain


def crawl_config(config: Config, shard: str = "", fingerprints: Path | None = None) -> CrawlConfig:
    """What the crawler needs to know.

    Raises:
        ConfigError: the shard is not ``i/n`` with 1 <= i <= n; the folder of fingerprints is none.
    """
    settings = config.crawl
    folder = fingerprints.absolute() if fingerprints else settings.fingerprints
    if folder is not None and not folder.is_dir():
        raise ConfigError(f"no folder of fingerprints at {folder}; see crawl.fingerprints and --fingerprints")
    return CrawlConfig(
        db_path=config.db,
        archive_dir=config.archive,
        contact=settings.contact,
        nameservers=settings.nameservers,
        allow_nets=settings.allow_nets,
        loopback_ports=settings.loopback_ports,
        delay_s=settings.delay_s,
        n_concurrent=settings.n_concurrent,
        timeout_s=settings.timeout_s,
        max_bytes=int(settings.max_body_mib * 1024 * 1024),
        revisit_hours=settings.revisit_hours,
        max_articles_per_account=settings.max_articles_per_account,
        article_max_age_days=settings.article_max_age_days,
        frozen_clock=settings.frozen_clock,
        max_requests_per_site=settings.max_requests_per_site,
        opted_out=read_opt_out(settings.opt_out),
        fingerprints=(folder,) if folder else (),
        shard=parse_shard(shard),
    )


def read_opt_out(file: Path | None) -> frozenset[str]:
    """The domains of companies that asked to be left alone: one a line, ``#`` begins a comment.

    Raises:
        ConfigError: the file cannot be read, or a line names no domain.
    """
    return read_domains(file, "crawl.opt_out") if file else frozenset()


def read_domains(file: Path, named_by: str) -> frozenset[str]:
    """The domains of a file: one a line, ``#`` begins a comment.

    Raises:
        ConfigError: the file cannot be read, or a line names no domain.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {named_by} {file}: {error}") from error
    domains = set()
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        try:
            domains |= {normalise_domain(text)} if text else set()
        except DomainError as error:
            raise ConfigError(f"{text!r} {error} @ {file}:{number}") from error
    return frozenset(domains)


def parse_shard(text: str) -> tuple[int, int]:
    """``(i, n)`` of ``i/n``, counted from 1; ``(1, 1)`` when empty.

    >>> parse_shard("2/8")
    (2, 8)
    """
    if not text:
        return 1, 1
    part, _, total = text.partition("/")
    if not (part.isdigit() and total.isdigit() and 1 <= int(part) <= int(total)):
        raise ConfigError(f"--shard must be i/n with 1 <= i <= n, got {text!r}")
    return int(part), int(total)
