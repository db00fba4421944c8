"""What a crawl needs to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from storage.clock import now_text, utc_text
from storage.errors import ConfigError

AGENT_NAME = "Bellwether"
AGENT_VERSION = "0.1"


@dataclass(frozen=True, slots=True)
class CrawlConfig:
    """Limits, manners and places of one crawl; times in seconds, hours and days as named."""

    db_path: Path
    archive_dir: Path
    contact: str = ""
    nameservers: tuple[str, ...] = ()
    allow_nets: tuple[str, ...] = ()
    loopback_ports: Mapping[int, int] = field(default_factory=dict)
    delay_s: float = 1.0
    n_concurrent: int = 32
    timeout_s: float = 30.0
    max_bytes: int = 8 * 1024 * 1024
    revisit_hours: float = 20.0
    max_articles_per_account: int = 50
    max_requests_per_site: int = 200
    article_max_age_days: int = 730
    frozen_clock: str | None = None
    fingerprints: tuple[Path, ...] = ()
    opted_out: frozenset[str] = frozenset()
    shard: tuple[int, int] = (1, 1)

    @property
    def user_agent(self) -> str:
        """The name we go by, with the place where a webmaster reaches whoever runs this crawl."""
        return f"{AGENT_NAME}/{AGENT_VERSION} (+{self.contact})" if self.contact else f"{AGENT_NAME}/{AGENT_VERSION} (local test)"

    def now(self) -> str:
        """The time that stamps what this crawl brings home."""
        return self.frozen_clock or now_text()

    def stale_before(self) -> str:
        """What was looked at before this time is due again."""
        return utc_text(datetime.fromisoformat(self.now()) - timedelta(hours=self.revisit_hours))

    def require_contact(self) -> None:
        """Refuses to crawl the public internet anonymously.

        Raises:
            ConfigError: no contact, and crawling is not confined to a local test world.
        """
        if not self.contact and not self.allow_nets:
            raise ConfigError(
                "crawl.contact is empty in bellwether.toml: set it to a page or address where a webmaster can reach you; no crawl leaves without"
            )
