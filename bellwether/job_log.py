"""What every job leaves behind: a row of when it ran, how it ended and its figures, and on request one JSON line for each thing it says."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from bellwether.config import Config
from storage.clock import now_text
from storage.ids import content_key
from storage.records import JobRun
from storage.store import Store, is_alive, open_writer

log = logging.getLogger("bellwether")
_current: dict[str, str] = {}  # the run of this process, for lines that others say: Scrapy, a warning of a library


@dataclass
class Job:
    """A job under way: its number, and the figures it will leave behind."""

    run_id: str
    name: str
    figures: dict[str, Any] = field(default_factory=dict)

    def leave(self, figures: Any) -> None:
        """Takes a record or mapping of figures."""
        plain = dataclasses.asdict(figures) if dataclasses.is_dataclass(figures) and not isinstance(figures, type) else dict(figures)
        self.figures.update(plain)


@contextmanager
def writing_job(config: Config, name: str) -> Iterator[tuple[Store, Job]]:
    """The store to write, and the job whose row it keeps; a job that fails leaves its reason. A name never holds that of a company."""
    with open_writer(config.db, name, wait_s=config.wait_s) as store:
        run = _begin(store, name)
        job = Job(run.job_run_id, name)
        try:
            yield store, job
        except BaseException as error:
            with suppress(sqlite3.Error):  # what failed is told either way
                _end(store, run, job, "failed", type(error).__name__)
            raise
        _end(store, run, job, "done", None)


@contextmanager
def outside_job(config: Config, name: str) -> Iterator[Job]:
    """The same for a job that opens the store by itself."""
    with open_writer(config.db, name, wait_s=config.wait_s) as store:
        run = _begin(store, name)
    job = Job(run.job_run_id, name)
    state, reason = "failed", None
    try:
        yield job
        state = "done"
    except BaseException as error:
        reason = type(error).__name__
        raise
    finally:
        with suppress(sqlite3.Error), open_writer(config.db, name, wait_s=config.wait_s) as store:
            _end(store, run, job, state, reason)


def _begin(store: Store, name: str) -> JobRun:
    """A new row; those of processes that are gone without a word are marked as died."""
    for row in list(store.query("SELECT job_run_id, process FROM job_runs WHERE state = 'running'")):
        if not is_alive(row["process"]):
            store.execute("UPDATE job_runs SET state = 'died' WHERE job_run_id = ?", (row["job_run_id"],))
    now = now_text()
    n_before = store.value("SELECT count(*) FROM job_runs WHERE job = ? AND started_at = ?", (name, now))
    run = JobRun(content_key("job", name, now, os.getpid(), n_before), name, now, None, "running", os.getpid(), "{}", None)
    store.save([run])
    _current.update(run=run.job_run_id, job=name)
    log.info("started")
    return run


def _end(store: Store, run: JobRun, job: Job, state: str, reason: str | None) -> None:
    figures = json.dumps(job.figures, default=str, ensure_ascii=False)
    store.save([dataclasses.replace(run, ended_at=now_text(), state=state, figures=figures, error=reason)])
    log.info(state, extra={"figures": job.figures})


def log_as_json() -> None:
    """From here on everything said on standard error is one JSON object a line: ours, libraries' warnings, Scrapy's errors."""
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonLines())
    logging.getLogger().addHandler(handler)
    logging.captureWarnings(True)
    log.setLevel(logging.INFO)


class _JsonLines(logging.Formatter):
    """``{"at", "level", "run", "job", "message"}`` and what else was given."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {"at": now_text(), "level": record.levelname.lower(), **_current, "message": record.getMessage()}
        if record.name != log.name:
            line["logger"] = record.name
        if isinstance(figures := getattr(record, "figures", None), Mapping):
            line["figures"] = figures
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)
