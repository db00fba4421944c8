"""Status in Prometheus' text format, for node_exporter's textfile collector or any scraper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

Sample = tuple[dict[str, str], float]


def exposition(status: Mapping[str, Any]) -> str:
    """The status as gauges, every name with its help and type.

    Source: Prometheus' text exposition format 0.0.4.
    """
    lines: list[str] = []
    for name, help_text, samples in _gauges(status):
        lines += [f"# HELP bellwether_{name} {help_text}", f"# TYPE bellwether_{name} gauge"]
        lines += [f"bellwether_{name}{_labels(labels)} {value:.17g}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def _gauges(status: Mapping[str, Any]) -> Iterator[tuple[str, str, list[Sample]]]:
    jobs = status["jobs"]
    yield "rows", "Rows of the book.", [({"table": name}, n) for name, n in status["book"].items()]
    yield "pages", "Pages archived.", [({}, status["crawl"]["pages"])]
    yield "events", "Signal events, duplicates among them.", [({}, status["extract"]["events"])]
    yield "due", "What waits for a job.", [
        ({"what": "accounts"}, status["crawl"]["accounts_due"]),
        ({"what": "pages"}, status["extract"]["pages_due"]),
    ]  # fmt: skip
    kinds = status["crawl"]["kinds"]
    yield "crawl", "By kind of crawl: what is due now, and what its last run met with.", [
        ({"kind": kind, "what": what}, found[what])
        for kind, found in kinds.items()
        for what in ("due", "fetched", "unchanged", "blocked_by_robots")
    ]  # fmt: skip
    yield "crawl_failed", "Requests of the last run of a kind that failed.", [
        ({"kind": kind, "reason": reason}, n) for kind, found in kinds.items() for reason, n in found["failed"].items()
    ]  # fmt: skip
    yield "failures", "Recorded failures by stage and reason.", [
        (dict(zip(("stage", "reason"), name.split(" ", 1), strict=True)), n) for name, n in status["failures"].items()
    ]  # fmt: skip
    yield "disk_bytes", "Sizes on disk, and what is free there.", [
        ({"what": name.removesuffix("_bytes")}, n) for name, n in status["disk"].items() if name.endswith("_bytes")
    ]  # fmt: skip
    yield "overdue", "What is older than its retention.", [({"what": name[2:]}, n) for name, n in status["retention"]["overdue"].items()]
    yield "writer_busy", "1 while a job writes the store.", [({}, float(status["writer"] is not None))]
    yield "job_state", "1 for the state of the job's last run.", [({"job": name, "state": job["state"]}, 1) for name, job in jobs.items()]
    for key, at, told in (
        ("job_started_timestamp_seconds", "started_at", "last began"),
        ("job_done_timestamp_seconds", "last_done_at", "last ended well"),
    ):
        yield key, f"When the job {told}.", [
            ({"job": name}, datetime.fromisoformat(job[at]).timestamp()) for name, job in jobs.items() if job[at]
        ]  # fmt: skip
    yield "job_seconds", "How long the job's last ended run took.", [
        ({"job": name}, job["seconds"]) for name, job in jobs.items() if job["seconds"] is not None
    ]  # fmt: skip
    yield "job_figure", "What the job's last run counted.", [
        ({"job": name, "figure": figure}, n) for name, job in jobs.items() for figure, n in _numbers(job["figures"], "")
    ]  # fmt: skip


def _numbers(figures: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, float]]:
    for name, value in figures.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{prefix}{name}.")
        elif isinstance(value, int | float):
            yield f"{prefix}{name}", value


def _labels(labels: Mapping[str, str]) -> str:
    r"""Labels in braces, escaped.

    >>> _labels({"reason": 'a "b"'})
    '{reason="a \\"b\\""}'
    """
    if not labels:
        return ""
    escaped = ((name, value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")) for name, value in labels.items())
    return "{" + ",".join(f'{name}="{value}"' for name, value in escaped) + "}"
