"""A crawl in a process of its own: configuration and kinds come in as JSON on standard input, counts go out as JSON on standard output."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from crawler.config import CrawlConfig
from crawler.run import run_crawl


def write_task(config: CrawlConfig, kinds: Sequence[str]) -> str:
    """What the process is told."""
    lists = {"loopback_ports": list(config.loopback_ports.items()), "opted_out": sorted(config.opted_out)}
    return json.dumps({"config": dataclasses.asdict(config) | lists, "kinds": list(kinds)}, default=str)


def read_task(text: str) -> tuple[CrawlConfig, list[str]]:
    """What the process was told."""
    task = json.loads(text)
    given = task["config"]
    typed = {
        "db_path": Path(given["db_path"]),
        "archive_dir": Path(given["archive_dir"]),
        "nameservers": tuple(given["nameservers"]),
        "allow_nets": tuple(given["allow_nets"]),
        "loopback_ports": dict(given["loopback_ports"]),
        "fingerprints": tuple(map(Path, given["fingerprints"])),
        "opted_out": frozenset(given["opted_out"]),
        "shard": tuple(given["shard"]),
    }
    return CrawlConfig(**given | typed), task["kinds"]


if __name__ == "__main__":
    counts: Counter[str] = Counter()
    for each in run_crawl(*read_task(sys.stdin.read()), lambda kind, done, total: None).counts.values():
        counts.update(each)
    print(json.dumps(counts))
