"""The invented companies: what they publish, and which events a careful reader finds in it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
TODAY = date(2026, 11, 1)


@dataclass(frozen=True, slots=True)
class PlantedEvent:
    """An event that a post reports about its company."""

    type: str
    status: str
    occurred_on: date
    quote: str


@dataclass(frozen=True, slots=True)
class Post:
    """A blog post or news item; a trap tempts a careless reader to see an event of ``trap_type``."""

    section: str
    slug: str
    published: date
    title: str
    text: str
    events: tuple[PlantedEvent, ...]
    trap: str
    trap_type: str


@dataclass(frozen=True, slots=True)
class Job:
    """An open position; ``type`` is the hiring event it stands for, or empty."""

    slug: str
    title: str
    type: str
    location: str
    posted: date
    text: str


@dataclass(frozen=True)
class Company:
    """One company and its site."""

    name: str
    legal_name: str
    domain: str
    industry: str
    vertical: str
    country: str
    state: str
    city: str
    postal_code: str
    employees: int
    annual_revenue_usd: int
    founded_year: int
    is_nonprofit: bool
    tagline: str
    about: str
    mail: str
    server: str
    generator: str
    feed: str
    blog: str
    newsroom: str
    posts: tuple[Post, ...]
    jobs: tuple[Job, ...]

    @cached_property
    def dice(self) -> int:
        """A number that is the same for a domain on every machine: it picks style and habits of the site."""
        return int(sha256(self.domain.encode()).hexdigest()[:8], 16)

    @property
    def has_https(self) -> bool:
        """A few small sites still speak plain HTTP only."""
        return self.dice % 9 != 0

    @property
    def host(self) -> str:
        """Where the pages live: the bare domain, or www."""
        return f"www.{self.domain}" if self.dice % 3 == 0 else self.domain

    @property
    def base_url(self) -> str:
        """Scheme and host of the pages."""
        return f"{'https' if self.has_https else 'http'}://{self.host}"

    def post_path(self, post: Post) -> str:
        """Where a post lives."""
        section = self.newsroom if post.section == "newsroom" and self.newsroom else self.blog or self.newsroom
        if self.dice % 5 == 1:
            return f"/{section}/{post.published:%Y/%m}/{post.slug}"
        return f"/{section}/{post.slug}{'/' if self.dice % 2 else ''}"

    def job_path(self, job: Job) -> str:
        """Where a job ad lives."""
        return f"/careers/{job.slug}"


def load_companies() -> list[Company]:
    """All companies, by domain."""
    return sorted((_company(path) for path in (FOLDER / "companies").glob("*.toml")), key=lambda company: company.domain)


def load_quirks() -> dict[str, dict[str, Any]]:
    """Domain → what is odd, broken or hostile about its site."""
    return tomllib.loads((FOLDER / "quirks.toml").read_text(encoding="utf-8"))


def _company(path: Path) -> Company:
    values = tomllib.loads(path.read_text(encoding="utf-8"))
    posts = tuple(
        Post(
            **{
                **post,
                "text": post["text"].strip(),
                "events": tuple(PlantedEvent(**event) for event in post.get("events", [])),
                "trap": post.get("trap", ""),
                "trap_type": post.get("trap_type", ""),
            }
        )
        for post in sorted(values.pop("posts"), key=lambda post: post["published"], reverse=True)
    )
    jobs = tuple(Job(**{**job, "text": job["text"].strip()}) for job in values.pop("jobs", []))
    return Company(**values, posts=posts, jobs=jobs)
