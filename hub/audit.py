"""The audit log, and the time the hub goes by."""

from __future__ import annotations

from django.http import HttpRequest

from hub.models import AuditEntry
from hub.setup import hub_settings
from storage.clock import now_text


def present() -> str:
    """The present time in the store's spelling."""
    clock = hub_settings().now
    return clock() if clock else now_text()


def address_of(request: HttpRequest) -> str:
    """The address a request came from; behind the proxy, the one the proxy itself saw."""
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "") if hub_settings().public_host else ""
    return str(forwarded.split(",")[-1].strip() or request.META.get("REMOTE_ADDR", ""))[:64]


def record(request: HttpRequest | None, username: str, action: str, detail: str = "") -> None:
    """Adds an entry."""
    AuditEntry.objects.create(
        at=present(), username=username[:150], address=address_of(request) if request else "", action=action, detail=detail[:300]
    )
