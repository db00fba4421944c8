"""Making report files: at once for a request, by the timer for schedules."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

from django.db import connection

from hub import audit
from hub.access import rights_of
from hub.models import ReportFile, SavedReport
from hub.setup import hub_settings
from reports.filters import RowFilters
from reports.scope import PartnerScope, Right
from storage.errors import BellwetherError, StoreError
from storage.store import open_reader

# One at a time: a report reads the whole book, and pages should stay quick meanwhile.
_worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reports")


def request_file(saved: SavedReport, is_scheduled: bool = False) -> ReportFile:
    """A queued file of a saved report."""
    return ReportFile.objects.create(saved=saved, requested_at=audit.present(), is_scheduled=is_scheduled)


def make_soon(file: ReportFile) -> None:
    """Makes the file in the background."""
    _worker.submit(_make_and_let_go, file.pk)


def make_file(file_id: int) -> ReportFile:
    """Makes a queued file under the rights its owner has now; what fails says why."""
    if not ReportFile.objects.filter(pk=file_id, state=ReportFile.QUEUED).update(state=ReportFile.RUNNING):
        return ReportFile.objects.get(pk=file_id)
    file = ReportFile.objects.select_related("saved__user").get(pk=file_id)
    saved = file.saved
    try:
        with open_reader(hub_settings().store) as store:
            scope = PartnerScope(store, hub_settings().catalogue, rights_of(saved.user) if saved.user.is_active else ())
            as_of = date.fromisoformat(saved.as_of) if saved.as_of else None
            run = scope.run(as_of)
            n_forgotten = scope.n_forgotten()
            written = scope.write(saved.report, right_of(saved), file.path, as_of, saved.file_format, saved.columns, filters_of(saved))
            file.path.chmod(0o600)
        _require_nothing_forgotten(n_forgotten)
        file.state, file.n_rows, file.sha256, file.as_of = ReportFile.READY, written.n_rows, written.run.sha256, run["as_of"]
    except (BellwetherError, OSError) as error:
        file.path.unlink(missing_ok=True)
        file.state, file.error = ReportFile.FAILED, str(error)[:300]
    except Exception:  # the person should learn of it; the log has the rest
        file.state, file.error = ReportFile.FAILED, "a mistake of ours; the hub's log says more"
        raise
    finally:
        file.save()
    return file


def make_due(today: date) -> list[ReportFile]:
    """Makes what schedules ask for by a date, and what was left over by a stopped hub; returns the files."""
    ReportFile.objects.filter(state=ReportFile.RUNNING, requested_at__lt=f"{today}T00:00:00Z").update(state=ReportFile.QUEUED)
    for saved in SavedReport.objects.exclude(day_of_month=None):
        first = f"{today:%Y-%m}-{min(saved.day_of_month or 1, 28):02d}"
        done = saved.files.filter(is_scheduled=True, requested_at__gte=f"{today:%Y-%m}-01").exists()
        if today.isoformat() >= first and not done:
            request_file(saved, is_scheduled=True)
    return [make_file(file.pk) for file in ReportFile.objects.filter(state=ReportFile.QUEUED).order_by("pk")]


def _require_nothing_forgotten(n_forgotten: int) -> None:
    """A file read the store as it was when its making began: it must not outlive a company forgotten meanwhile."""
    with open_reader(hub_settings().store) as store:
        if PartnerScope(store, hub_settings().catalogue, ()).n_forgotten() != n_forgotten:
            raise StoreError("a company was forgotten while the file was made; make it again")


def right_of(saved: SavedReport) -> Right:
    """The right a saved report was made with."""
    return Right(saved.partner_global_id or None, saved.country or None)


def filters_of(saved: SavedReport) -> RowFilters:
    """The filters of a saved report."""
    kept: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in saved.filters.items()}
    return RowFilters(**kept)


def _make_and_let_go(file_id: int) -> None:
    try:
        make_file(file_id)
    finally:
        connection.close()
