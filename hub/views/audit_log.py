"""The audit log, for those who oversee the hub."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from hub import audit
from hub.access import is_overseer, person, signed_in
from hub.errors import error_page
from hub.models import AuditEntry

PAGE = 100


@require_GET
@signed_in
def audit_log(request: HttpRequest) -> HttpResponse:
    """Sign-ins, downloads and changes, latest first, by person and action."""
    if not is_overseer(person(request)):
        audit.record(request, person(request).get_username(), "refused", request.path)
        return error_page(
            request, 403, "This page is for executive report viewers of all partners", "Ask your operator if you should read it."
        )
    who, action = request.GET.get("who", "").strip()[:150], request.GET.get("action", "")[:40]
    page = min(1_000, max(1, int(request.GET["page"]))) if request.GET.get("page", "").isdecimal() else 1
    entries = AuditEntry.objects.order_by("-pk")
    entries = entries.filter(username__iexact=who) if who else entries
    entries = entries.filter(action=action) if action else entries
    shown = list(entries[(page - 1) * PAGE : page * PAGE + 1])
    kept = {"who": who, "action": action}
    context = {
        "entries": shown[:PAGE], "has_more": len(shown) > PAGE, "page": page, "by": who, "action": action,
        "actions": AuditEntry.objects.order_by("action").values_list("action", flat=True).distinct(),
        "before": urlencode(kept | {"page": page - 1}), "after": urlencode(kept | {"page": page + 1}),
    }  # fmt: skip
    return render(request, "hub/audit_log.html", context)
