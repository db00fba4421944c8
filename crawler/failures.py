"""From whatever ended a request to the reason on its Failure row."""

from __future__ import annotations

from scrapy.exceptions import (
    CannotResolveHostError,
    DownloadCancelledError,
    DownloadConnectionRefusedError,
    DownloadFailedError,
    DownloadTimeoutError,
    IgnoreRequest,
    ResponseDataLossError,
    UnsupportedURLSchemeError,
)
from scrapy.spidermiddlewares.httperror import HttpError

from crawler.backoff import SiteRestsError
from crawler.budget import BudgetSpentError
from crawler.resolver import AddressDeniedError
from crawler.robots import RobotsDisallowedError, RobotsUnreachableError
from crawler.url_limits import UrlRefusedError

_REASONS: list[tuple[type[BaseException], str]] = [
    (RobotsDisallowedError, "robots"),
    (UrlRefusedError, "url_refused"),
    (SiteRestsError, "site_rests"),
    (BudgetSpentError, "budget_spent"),
    (AddressDeniedError, "address_denied"),
    (CannotResolveHostError, "dns"),
    (DownloadTimeoutError, "timeout"),
    (DownloadConnectionRefusedError, "connection_refused"),
    (DownloadCancelledError, "too_large"),
    (ResponseDataLossError, "connection_lost"),
    (UnsupportedURLSchemeError, "scheme"),
    (DownloadFailedError, "connection_lost"),
]


def failure_of(error: BaseException) -> tuple[str, str]:
    """``(reason, detail)`` of a request that brought no page."""
    if isinstance(error, RobotsUnreachableError):
        return failure_of(error.cause)
    if isinstance(error, HttpError):
        return f"http_{error.response.status}", f"answered {error.response.status}"
    detail = str(error) or type(error).__name__
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return reason, detail
    if isinstance(error, IgnoreRequest):
        return ("too_large" if "MAXSIZE" in detail else "redirects"), detail
    return "error", f"{type(error).__name__}: {detail}"
