"""Keeps the body of a response as it came over the wire, for the archive."""

from __future__ import annotations

from dataclasses import dataclass

from scrapy import Request
from scrapy.http import Response

# Connection matters that are settled by the time we hold the whole body.
_HOP_BY_HOP = {"transfer-encoding", "connection", "keep-alive", "set-cookie"}


@dataclass(frozen=True, slots=True)
class WireResponse:
    """Status, headers and the still encoded body."""

    http_status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class WireMiddleware:
    """Downloader middleware at the place next to the network; leaves ``WireResponse`` in ``meta["wire"]``."""

    def process_response(self, request: Request, response: Response) -> Response:
        """Remembers, changes nothing."""
        headers = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, values in response.headers.items()
            for value in values
            if name.decode("latin-1").lower() not in _HOP_BY_HOP
        ]
        request.meta["wire"] = WireResponse(response.status, tuple(headers), response.body)
        return response
