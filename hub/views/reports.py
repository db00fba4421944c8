"""Reports: put together, previewed, made, scheduled, downloaded."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db import transaction
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from hub import audit, making
from hub.access import person, scoped
from hub.models import ReportFile, SavedReport
from hub.views.accounts import SIZES
from reports import FORMATS, REPORTS
from reports.formats import type_of
from reports.scope import PartnerScope, Right
from reports.writing import CLUSTER_ORDER, define_columns

MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8; header=present", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
}  # fmt: skip
MOST_SAVED = 100
MOST_WAITING = 5


@require_GET
@scoped
def my_reports(request: HttpRequest, scope: PartnerScope) -> HttpResponse:
    """One's saved reports with the state of their latest files."""
    saved = list(SavedReport.objects.filter(user=person(request)).prefetch_related("files__saved").order_by("-id"))
    rows = [
        {"saved": each, "title": REPORTS[each.report].title, "latest": max(each.files.all(), key=lambda file: file.pk, default=None)}
        for each in saved
    ]
    return render(request, "hub/my_reports.html", {"rows": rows, "is_waiting": _is_waiting(saved)})


@require_http_methods(["GET", "POST"])
@scoped
def new_report(request: HttpRequest, scope: PartnerScope) -> HttpResponse:
    """Data set, then columns, filters, time range and file type."""
    name = (request.POST if request.method == "POST" else request.GET).get("report", "")
    if name not in REPORTS:
        return render(request, "hub/new_report_data_set.html", {"reports": REPORTS.values()})
    problem = ""
    if request.method == "POST":
        problem, saved = _save(request, scope, name)
        if saved is not None:
            audit.record(request, person(request).get_username(), "report created", f"{saved.pk} {name}")
            return redirect(f"/reports/{saved.pk}")
    report = REPORTS[name]
    columns = report.columns(scope.catalogue)
    titles = {row["partner_global_id"]: row["partner_name"] for row in scope.partners()}
    context = {
        "report": report, "columns": define_columns(scope.catalogue, columns).items(), "formats": FORMATS, "runs": scope.runs(),
        "offered": _offered_filters(scope, name), "problem": problem, "rights": list(enumerate(_right_words(scope.rights, titles))),
    }  # fmt: skip
    return render(request, "hub/new_report.html", context, status=422 if problem else 200)


@require_GET
@scoped
def saved_report(request: HttpRequest, scope: PartnerScope, saved_id: int) -> HttpResponse:
    """A saved report: its first rows, its files, its schedule."""
    saved = _own(request, saved_id)
    as_of = date.fromisoformat(saved.as_of) if saved.as_of else None
    columns = tuple(saved.columns) or REPORTS[saved.report].columns(scope.catalogue)
    is_mine = making.right_of(saved) in scope.rights
    preview = [] if not is_mine else scope.preview(saved.report, making.right_of(saved), as_of, making.filters_of(saved))
    kinds = ["number" if type_of(column) is float else "text" for column in columns]
    context = {
        "saved": saved, "title": REPORTS[saved.report].title, "columns": columns, "days": range(1, 29),
        "preview": [[(kind, row[column]) for kind, column in zip(kinds, columns, strict=True)] for row in preview],
        "is_mine": is_mine, "files": saved.files.order_by("-pk")[:24], "is_waiting": _is_waiting([saved]),
        "filters": [(name.replace("_", " ").removesuffix(" usd"), value) for name, value in saved.filters.items() if value],
    }  # fmt: skip
    return render(request, "hub/saved_report.html", context)


@require_POST
@scoped
def make(request: HttpRequest, scope: PartnerScope, saved_id: int) -> HttpResponse:
    """Makes a file of a saved report in the background."""
    saved = _own(request, saved_id)
    with transaction.atomic():  # counted and queued at once, or parallel requests would pass the limit
        waiting = ReportFile.objects.filter(saved__user=person(request), state__in=(ReportFile.QUEUED, ReportFile.RUNNING)).count()
        file = making.request_file(saved) if waiting < MOST_WAITING else None
    if file is not None:
        audit.record(request, person(request).get_username(), "report requested", f"{saved.pk} file {file.pk}")
        making.make_soon(file)
    return redirect(f"/reports/{saved.pk}")


@require_POST
@scoped
def schedule(request: HttpRequest, scope: PartnerScope, saved_id: int) -> HttpResponse:
    """Sets or ends the monthly schedule."""
    saved = _own(request, saved_id)
    day = request.POST.get("day", "")
    saved.day_of_month = int(day) if day.isdecimal() and 1 <= int(day) <= 28 else None
    saved.save()
    audit.record(request, person(request).get_username(), "report scheduled", f"{saved.pk} day {saved.day_of_month}")
    return redirect(f"/reports/{saved.pk}")


@require_POST
@scoped
def delete(request: HttpRequest, scope: PartnerScope, saved_id: int) -> HttpResponse:
    """Deletes a saved report and its files."""
    saved = _own(request, saved_id)
    for file in saved.files.all():
        file.path.unlink(missing_ok=True)
    audit.record(request, person(request).get_username(), "report deleted", str(saved.pk))
    saved.delete()
    return redirect("/reports")


@require_GET
@scoped
def download(request: HttpRequest, scope: PartnerScope, file_id: int) -> HttpResponseBase:
    """A file of one's own, as long as one still has the right it was made with."""
    file = ReportFile.objects.select_related("saved").filter(pk=file_id, saved__user=person(request), state=ReportFile.READY).first()
    if file is None or making.right_of(file.saved) not in scope.rights or not file.path.exists():
        raise Http404
    audit.record(request, person(request).get_username(), "download", f"file {file.pk} {file.saved.report} {file.n_rows} rows")
    name = f"{file.saved.report}-{file.as_of}.{file.saved.file_format}"
    return FileResponse(file.path.open("rb"), as_attachment=True, filename=name, content_type=MEDIA_TYPES[file.saved.file_format])


def _own(request: HttpRequest, saved_id: int) -> SavedReport:
    saved = SavedReport.objects.filter(pk=saved_id, user=person(request)).first()
    if saved is None:
        raise Http404
    return saved


def _is_waiting(saved: list[SavedReport]) -> bool:
    return ReportFile.objects.filter(saved__in=saved, state__in=(ReportFile.QUEUED, ReportFile.RUNNING)).exists()


def _right_words(rights: tuple[Right, ...], partners: dict[str, str]) -> list[str]:
    words = []
    for right in rights:
        whose = partners.get(right.partner_global_id, right.partner_global_id) if right.partner_global_id else "All partners"
        words.append(f"{whose}, {right.country}" if right.country else whose)
    return words


def _offered_filters(scope: PartnerScope, report: str) -> dict[str, Any]:
    choices = scope.choices(scope.run())
    return {
        "clusters": CLUSTER_ORDER,
        "cohorts": [f"{cohort.column}: {cohort.value}" for cohort in scope.catalogue.cohorts if report in cohort.reports],
        "sizes": SIZES,
        "industries": choices["industry"],
        "countries": choices["country"],
    }


def _save(request: HttpRequest, scope: PartnerScope, report: str) -> tuple[str, SavedReport | None]:
    """What is wrong with the form, or the saved report."""
    form = request.POST
    title = form.get("name", "").strip()[:120] or REPORTS[report].title
    known = REPORTS[report].columns(scope.catalogue)
    columns = [column for column in known if column in form.getlist("columns")]
    index = form.get("right", "0")
    right = scope.rights[int(index)] if index.isdecimal() and int(index) < len(scope.rights) else None
    potential = form.get("min_potential", "").strip()
    as_of = form.get("as_of", "")
    if not columns:
        return "Choose at least one column.", None
    if right is None or form.get("file_format") not in FORMATS or (as_of and as_of not in scope.runs()):
        return "Choose whose accounts, the time range and the file type from the lists.", None
    if potential and not potential.isdecimal():
        return "Write the potential revenue as a whole number of US dollars, such as 5000.", None
    if SavedReport.objects.filter(user=person(request)).count() >= MOST_SAVED:
        return f"You have {MOST_SAVED} saved reports, which is the most there can be: delete one first.", None
    offered = _offered_filters(scope, report)
    filters: dict[str, Any] = {name: form.getlist(name) for name in offered}
    if any(value not in offered[name] for name, values in filters.items() for value in values):
        return "Choose the filters from the lists.", None
    filters["min_potential_usd"] = float(potential[:12]) if potential else None
    saved = SavedReport.objects.create(
        user=person(request), name=title, report=report, columns=[] if len(columns) == len(known) else columns, filters=filters,
        partner_global_id=right.partner_global_id or "", country=right.country or "", as_of=as_of, file_format=form["file_format"],
        created_at=audit.present(),
    )  # fmt: skip
    return "", saved
