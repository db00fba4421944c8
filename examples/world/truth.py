"""Writes examples/truth.jsonl: which events each post and job ad of the world reports, and which only look as if they did."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from examples.world.companies import FOLDER, load_companies, load_quirks
from examples.world.quirks import UNREADABLE

TRUTH = FOLDER.parent / "truth.jsonl"


def iter_truth() -> Iterator[dict[str, Any]]:
    """One line per post and job ad."""
    quirks = load_quirks()
    for company in load_companies():
        kind = quirks.get(company.domain, {}).get("kind", "")
        common = {"domain": company.domain, "unreadable": UNREADABLE.get(kind)}
        for post in company.posts:
            yield {
                **common,
                "path": company.post_path(post),
                "published": str(post.published),
                "title": post.title,
                "events": [{"type": e.type, "status": e.status, "occurred_on": str(e.occurred_on), "quote": e.quote} for e in post.events],
                "trap": post.trap or None,
                "trap_type": post.trap_type or None,
            }
        for job in company.jobs:
            event = {"type": job.type, "status": "announced", "occurred_on": str(job.posted), "quote": job.title}
            yield {
                **common,
                "path": company.job_path(job),
                "published": str(job.posted),
                "title": job.title,
                "events": [event] if job.type else [],
                "trap": None,
                "trap_type": None,
            }


def main(path: Path = TRUTH) -> None:
    """Writes the file."""
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in iter_truth()), encoding="utf-8")


if __name__ == "__main__":
    main()
