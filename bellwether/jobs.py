"""The jobs behind the commands: opens what a job needs, runs it, returns its figures. The clock is read here and passed down."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bellwether.catalogue_file import load_catalogue
from bellwether.config import Config, load_config
from bellwether.job_log import outside_job, writing_job
from bellwether.progress import progress_bar
from storage.clock import now_text
from storage.errors import InputError, UnhealthyCrawlError
from storage.ids import content_hash
from storage.records import ScoringRun, WrittenFile
from storage.store import Row, Store, open_reader
from urls import registrable_domain

if TYPE_CHECKING:
    from intake import ImportSummary
    from intake.cloudascent import CloudAscentSummary
    from reports.explanation import Explanation
    from reports.writing import WrittenReport
    from signals.evaluation import EventEvaluation
    from signals.extraction_evaluation import ExtractionEvaluation
    from storage.store import Store

CRAWL_KINDS = ("domains", "feeds", "articles", "jobs", "social", "forums")


def run_import(db: Path | None, kind: str, file: Path, observed_on: date) -> ImportSummary:
    """``bellwether import``."""
    from intake import import_file

    config = load_config(db)
    with writing_job(config, f"import {kind}") as (store, job), progress_bar(f"import {kind}") as bar:
        summary = import_file(store, kind, file, observed_on.isoformat(), bar)
        job.leave(summary)
        if summary.rejects_path is not None:
            store.save([_written_file(store, summary.rejects_path)])
    return summary


def run_import_cloudascent(db: Path | None, file: Path, observed_on: date) -> CloudAscentSummary:
    """``bellwether import cloudascent``."""
    from intake.cloudascent import import_cloudascent

    with writing_job(load_config(db), "import cloudascent") as (store, _), progress_bar("import cloudascent") as bar:
        return import_cloudascent(store, file, observed_on.isoformat(), bar)


def run_crawl_job(
    db: Path | None, kinds: Sequence[str], shard: str, fingerprints: Path | None = None, cluster: str = "", n_parts: int = 0
) -> dict[str, Any]:
    """``bellwether crawl``."""
    from bellwether.crawl_config import crawl_config
    from bellwether.crawl_status import why_unhealthy
    from crawler.run import run_crawl

    config = load_config(db)
    settings = crawl_config(config, shard, fingerprints)
    settings.require_contact()
    if cluster:
        from bellwether.cluster import connected, crawl_on

        with writing_job(config, "crawl") as (store, job), connected(cluster) as client, progress_bar("crawl") as bar:
            parts = n_parts or len(client.scheduler_info(n_workers=-1)["workers"])
            job.leave(crawl_on(client, config, store, settings, kinds, parts, bar))
        return job.figures
    try:
        with outside_job(config, "crawl") as job, progress_bar("crawl") as bar:
            summary = run_crawl(settings, kinds, lambda kind, done, total: bar(done, total, kind))
            job.leave(summary)
            if problems := why_unhealthy(summary.counts, config.crawl.max_failed_share):
                raise UnhealthyCrawlError(f"the crawl is not well, what came home is kept: {'; '.join(problems)}; see `bellwether status`")
    finally:
        _write_gauges(config)
    _send_archive(config)
    return job.figures


def _write_gauges(config: Config) -> None:
    """The status for Prometheus, at once and whole, where ``crawl.prometheus_file`` says."""
    from bellwether.exposition import exposition
    from bellwether.status import read_status

    file = config.crawl.prometheus_file
    if file is None or not config.db.exists():
        return
    with open_reader(config.db) as store:
        text = exposition(read_status(store, config, now_text()))
    part = file.with_name(f".{file.name}.part")
    part.write_text(text, encoding="utf-8")
    part.chmod(0o644)  # the collector runs as somebody else
    part.replace(file)


def run_ingest(
    db: Path | None,
    files: Sequence[Path],
    domains: Path | None = None,
    is_known_only: bool = False,
    index: Path | None = None,
    n_jobs: int = 1,
) -> dict[str, Any]:
    """``bellwether ingest``."""
    from bellwether.crawl_config import read_domains
    from signals.ingestion import ingest_files

    config = load_config(db)
    for file in (*files, *((index,) if index else ())):
        if not file.is_file():
            raise InputError(f"no file at {file}")
    with writing_job(config, "ingest") as (store, job), _sandbox(config, n_jobs) as sandbox, progress_bar("ingest") as bar:
        wanted = read_domains(domains, "--domains") if domains else None
        if wanted is None and (is_known_only or index):
            wanted = frozenset(row["domain"] for row in store.query("SELECT domain FROM accounts"))
        wanted = None if wanted is None else frozenset(registrable_domain(domain) or domain for domain in wanted)
        job.leave(ingest_files(store, sandbox, files, config.archive, now_text(), bar, wanted, index))
    return job.figures


def run_extract(db: Path | None, n_jobs: int, cluster: str = "") -> dict[str, Any]:
    """``bellwether extract``."""
    from signals.extraction import extract_pages
    from signals.technology_events import extract_technology_events

    config = load_config(db)
    rivals = load_catalogue(config.catalogue).rivals
    with writing_job(config, "extract") as (store, job), _sandbox(config, n_jobs) as sandbox, progress_bar("extract") as bar:
        _fetch_archive(config, store)
        if cluster:
            from bellwether.cluster import connected, extract_on

            with connected(cluster) as client:
                job.leave(extract_on(client, config, store, now_text(), bar))
        else:
            job.leave(extract_pages(store, config.archive, _classifier(config), sandbox, now_text(), bar))
        job.leave({"n_technology_events": extract_technology_events(store, config.archive, sandbox, rivals, now_text())})
    return job.figures


def _fetch_archive(config: Config, store: Store) -> None:
    """Brings archive files here that another machine's crawl sent to ``storage.archive_url``."""
    if config.archive_url:
        from storage.remote import fetch_files

        rows = store.query("SELECT DISTINCT warc_file FROM pages WHERE warc_file != '' AND warc_file NOT LIKE '/%' ORDER BY 1")
        fetch_files(config.archive_url, [row["warc_file"] for row in rows], config.archive)


def _send_archive(config: Config) -> None:
    """Sends what a crawl archived here to ``storage.archive_url``."""
    if config.archive_url:
        from storage.remote import send_files

        send_files(sorted(config.archive.glob("*.warc.gz")), config.archive_url)


def iter_classified(file: Path | None) -> Iterator[str]:
    """``bellwether classify``: a line out for each line in."""
    from signals.classify import iter_events_of_lines

    classifier = _classifier(load_config())
    if file is None:
        yield from iter_events_of_lines(classifier, sys.stdin, now_text()[:10])
        return
    try:
        with file.open(encoding="utf-8") as lines:
            yield from iter_events_of_lines(classifier, lines, now_text()[:10])
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}") from error


def run_score_to_lake(db: Path | None, as_of: date, cluster: str) -> tuple[ScoringRun, str]:
    """``bellwether score --cluster … --to-lake``: the run, and where its rows lie; the store keeps the models it learned and nothing else."""
    from bellwether.cluster import connected, score_on

    config = load_config(db)
    with writing_job(config, "score") as (store, job), connected(cluster) as client, progress_bar("score") as bar:
        run = score_on(client, config, store, load_catalogue(config.catalogue), as_of, bar, to_lake=True)
        job.leave({"run_id": run.run_id, "as_of": run.as_of, "n_accounts": run.n_accounts})
    return run, f"{config.lake}/tables/*/{run.run_id}"


def run_lake(db: Path | None) -> dict[str, Any]:
    """``bellwether lake``."""
    from storage.lake import write_lake

    config = load_config(db)
    with writing_job(config, "lake") as (store, job):
        job.leave(write_lake(store, config.lake))
    return {"lake": f"{config.lake}/tables", **job.figures}


def run_score(db: Path | None, as_of: date, cluster: str = "") -> tuple[ScoringRun, list[Row], Path]:
    """``bellwether score``: the run, its cluster counts per product, and the model card of its date, ``model-cards/<as of>.html`` beside the store."""
    from bellwether.model_jobs import write_card
    from reports.account_facts import save_cohorts
    from reports.listing import save_listing
    from scoring.run import score_book

    config = load_config(db)
    catalogue = load_catalogue(config.catalogue)
    with writing_job(config, "score") as (store, job), progress_bar("score") as bar:
        if cluster:
            from bellwether.cluster import connected, score_on

            with connected(cluster) as client:
                run = score_on(client, config, store, catalogue, as_of, bar)
        else:
            run = score_book(store, catalogue, as_of, config.seed, bar)
        save_cohorts(store, catalogue, run)
        save_listing(store, catalogue, run)
        counts = list(
            store.query("SELECT product, cluster, count(*) AS n FROM cluster_assignments WHERE run_id = ? GROUP BY 1, 2", (run.run_id,))
        )
        card = config.db.parent / "model-cards" / f"{as_of}.html"
        write_card(store, catalogue, as_of, config.seed, card)
        job.leave({"run_id": run.run_id, "as_of": run.as_of, "n_accounts": run.n_accounts})
    order = [product.product_id for product in catalogue.products]
    return run, sorted(counts, key=lambda row: order.index(row["product"])), card


def run_lake_from(db: Path | None, lake: str, run_id: str | None, with_book: bool) -> dict[str, Any]:
    """``bellwether lake --from``: a scoring run of a lake, listed for the hub as ``bellwether score`` lists its own.

    What the lake forgot is forgotten first; then all of the run comes, or nothing.
    """
    from reports.account_facts import save_cohorts
    from reports.listing import save_listing
    from storage.lake_reading import find_run, list_blocked, load_run

    config = load_config(db)
    catalogue = load_catalogue(config.catalogue)
    run = find_run(lake, run_id)
    with open_reader(config.db) as store:
        known = {row["domain"] for row in store.query("SELECT domain FROM accounts")}
    for domain in known.intersection(list_blocked(lake)):
        run_forget(db, domain)
    with writing_job(config, "lake") as (store, job):
        with store.transaction():
            counts = load_run(store, lake, run, with_book)
            save_cohorts(store, catalogue, run)
            save_listing(store, catalogue, run)
        job.leave(counts)
    return {"run_id": run.run_id, "as_of": run.as_of, **job.figures}


def run_report(
    db: Path | None, name: str, partner: str | None, out: Path | None, as_of: date | None, file_format: str, columns: Sequence[str]
) -> WrittenReport:
    """``bellwether report``."""
    from reports import REPORTS, write_report
    from reports.writing import latest_run

    config = load_config(db)
    catalogue = load_catalogue(config.catalogue)
    with writing_job(config, f"report {name}") as (store, job):
        if partner is not None and store.value("SELECT count(*) FROM partners WHERE partner_global_id = ?", (partner,)) == 0:
            raise InputError(f"no partner has the global id {partner!r}; see `bellwether import partners`")
        path = out or Path(f"{name}-{latest_run(store, as_of)['as_of']}.{file_format}")
        written = write_report(store, catalogue, REPORTS[name], path, partner, as_of, file_format, columns)
        store.save([written.run, _written_file(store, path)])
        job.leave({"n_rows": written.n_rows})
    return written


def run_summary(db: Path | None, out: Path, as_of: date | None) -> Path:
    """``bellwether summary``."""
    from reports.summary import write_summary

    config = load_config(db)
    with writing_job(config, "summary") as (store, _):
        write_summary(store, load_catalogue(config.catalogue), out, as_of)
        store.save([_written_file(store, out)])
    return out


def _written_file(store: Store, path: Path) -> WrittenFile:
    whole, home = path.absolute(), store.path.absolute().parent
    kept = whole.relative_to(home) if whole.is_relative_to(home) else whole
    return WrittenFile(str(kept), content_hash(path.read_bytes()), now_text())


def run_explain(db: Path | None, account: str, product: str | None, as_of: date | None) -> Explanation:
    """``bellwether explain``."""
    from reports.explanation import explain_account
    from scoring.outlook import load_outlook

    config = load_config(db)
    catalogue = load_catalogue(config.catalogue)
    with open_reader(config.db) as store:

        def outlook(run_id: str, account_id: str) -> dict[str, dict[str, Any]]:
            return {name: dataclasses.asdict(each) for name, each in load_outlook(store, catalogue, run_id, account_id).items()}

        return explain_account(store, catalogue, account, product, as_of, config.archive, outlook)


def run_forget(db: Path | None, domain: str) -> dict[str, Any]:
    """``bellwether forget``."""
    from crawler.torn_archive import mend_torn
    from storage.forgetting import forget_domain
    from urls import DomainError, normalise_domain

    config = load_config(db)
    try:
        known = normalise_domain(domain)
    except DomainError as error:
        raise InputError(f"{error}; give the domain as in the accounts file, like northwind.example") from error
    with writing_job(config, "forget") as (store, _), _sandbox(config, 1) as sandbox:
        _fetch_archive(config, store)
        before = {path.name for path in config.archive.glob("*.warc.gz")}
        mend_torn(config.archive, store, "crawl-")  # what a killed crawl archived last, no row tells of

        def list_records(path: Path, start: int) -> dict[str, Any]:
            listing = sandbox.run("storage.archive:list_responses", b"", path=str(path), start=start, with_notes=True)
            if not isinstance(listing, dict) or listing["error"]:
                detail = listing["error"] if isinstance(listing, dict) else listing.detail
                raise InputError(f"cannot read {path} to take {known} out of it: {detail}; move the file away, then run forget again")
            return listing

        ids = [row["account_id"] for row in store.query("SELECT account_id FROM accounts WHERE domain = ?", (known,))]
        forgotten = dataclasses.asdict(forget_domain(store, config.archive, known, now_text()[:10], list_records))
        forgotten["n_lake_files"] = _forget_in_lake(config, store, ids)
    if config.archive_url:
        from storage.remote import remove_files

        _send_archive(config)
        remove_files(config.archive_url, sorted(before - {path.name for path in config.archive.glob("*.warc.gz")}))
    return {**forgotten, "n_hub_files": _remove_hub_files(config)}


def _forget_in_lake(config: Config, store: Store, account_ids: list[str]) -> int:
    """Writes the lake's files anew that may hold the company, and takes away parts that a killed job left; how many files there are now."""
    from storage.lake import count_files, remove_parts, write_lake

    remove_parts(config.lake)
    if n_files := count_files(config.lake):
        write_lake(store, config.lake, account_ids)
    return n_files


def _remove_hub_files(config: Config) -> int:
    """How many report files of the hub were removed. All go, since a row of the forgotten company may stand in any; they can be made again."""
    files = [path for path in hub_files(config.db).glob("*") if path.is_file()]
    for path in files:
        path.unlink(missing_ok=True)
    return len(files)


def hub_files(db: Path) -> Path:
    """The folder beside the store that holds the hub's report files."""
    return db.parent / "hub-files"


def run_status(db: Path | None) -> dict[str, Any]:
    """``bellwether status``."""
    from bellwether.status import read_status

    config = load_config(db)
    with open_reader(config.db) as store:
        return read_status(store, config, now_text())


def run_tidy(db: Path | None) -> dict[str, Any]:
    """``bellwether tidy``."""
    from storage.retention import cutoffs, let_go

    config = load_config(db)
    keep = cutoffs(config.crawl.frozen_clock or now_text(), config.retention.archive_days, config.retention.event_days)
    with writing_job(config, "tidy") as (store, job):
        job.leave(let_go(store, config.archive, keep))
    return job.figures


def run_evaluate_events(gold: Path) -> EventEvaluation:
    """``bellwether evaluate events``."""
    from signals.evaluation import evaluate_events

    config = load_config()
    with progress_bar("evaluate events") as bar:
        return evaluate_events(gold, _classifier(config), config.extract.encoder, config.seed, bar)


def run_evaluate_extraction(pages: Path, gold: Path) -> ExtractionEvaluation:
    """``bellwether evaluate extraction``."""
    from signals.extraction_evaluation import evaluate_extraction

    config = load_config()
    with _sandbox(config, 0) as sandbox, progress_bar("evaluate extraction") as bar:
        return evaluate_extraction(pages, gold, sandbox, config.seed, bar)


def _sandbox(config: Config, n_jobs: int) -> Any:
    from sandbox import Sandbox

    jobs = n_jobs or config.extract.jobs or os.cpu_count() or 1
    return Sandbox(jobs, config.extract.memory_mib, config.extract.timeout_s)


def _classifier(config: Config) -> Any:
    from signals.classifier import MODEL_FOLDER, EventClassifier

    return EventClassifier(config.extract.classifier or MODEL_FOLDER)


def as_json(value: object) -> str:
    """A record or mapping as one line of JSON."""
    plain = dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else value
    return json.dumps(plain, default=str, ensure_ascii=False)
