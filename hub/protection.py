"""What stands before every page: headers that keep scripts and strangers out, and a limit on requests."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from hub.audit import address_of
from hub.setup import hub_settings

POLICY = "; ".join(
    ["default-src 'none'", "style-src 'self'", "img-src 'self'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"]
)
N_REMEMBERED = 10_000
YEAR_S = 365 * 24 * 3600


class RequestLimit:
    """Lets each address make so many requests a minute, with a burst of as many."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = Lock()

    def is_over(self, address: str, now_s: float) -> bool:
        """Whether this request is one too many.

        >>> limit = RequestLimit(2)
        >>> [limit.is_over("192.0.2.1", second) for second in (0, 0, 0, 30)]
        [False, False, True, False]
        """
        with self._lock:
            left, at = self._left.pop(address, (float(self._per_minute), now_s))
            left = min(self._per_minute, left + (now_s - at) * self._per_minute / 60)
            self._left[address] = (max(0.0, left - 1), now_s)
            if len(self._left) > N_REMEMBERED:
                self._left.popitem(last=False)
            return left < 1


def protect(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: the limit before, the headers after."""
    limit = RequestLimit(hub_settings().requests_per_minute)

    def answer(request: HttpRequest) -> HttpResponseBase:
        if limit.is_over(address_of(request), time.monotonic()):
            response: HttpResponseBase = HttpResponse(
                "Too many requests; wait a minute.", status=429, content_type="text/plain; charset=utf-8"
            )
            response["Retry-After"] = "60"
        elif not _is_ours(request):
            response = HttpResponse("No such site.", status=400, content_type="text/plain; charset=utf-8")
        else:
            response = get_response(request)
        response["Content-Security-Policy"] = POLICY
        response["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
        response["Cross-Origin-Resource-Policy"] = "same-origin"
        response["X-Content-Type-Options"] = "nosniff"
        if hub_settings().public_host:
            response["Strict-Transport-Security"] = f"max-age={YEAR_S}"
        response.setdefault("Cache-Control", "no-store")
        return response

    return answer


def _is_ours(request: HttpRequest) -> bool:
    """Whether the request names a host we answer for; others may have been led here, as by a name that changes what it points to."""
    try:
        request.get_host()
    except DisallowedHost:
        return False
    return True
