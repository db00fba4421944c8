"""The one door through which a crawl's bytes go out and come in: Scrapy's download handler for http and https, on aiohttp.

No connection is opened to an address that ``crawler.deny`` refuses: names are looked up by ``crawler.resolver``, and every address, also one
that a URL spells out, is looked at once more when its socket is made. Redirects, cookies, proxies and unpacking are left to Scrapy's
middlewares or switched off. See docs/adr/0012 for why not Scrapy's own handler.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from typing import Any

import aiohttp
import yarl
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from scrapy import Request
from scrapy.core.downloader.handlers.base import BaseDownloadHandler
from scrapy.crawler import Crawler
from scrapy.exceptions import (
    CannotResolveHostError,
    DownloadCancelledError,
    DownloadConnectionRefusedError,
    DownloadFailedError,
    DownloadTimeoutError,
    ResponseDataLossError,
    UnsupportedURLSchemeError,
)
from scrapy.http import Headers, Response
from scrapy.responsetypes import responsetypes

from crawler.config import CrawlConfig
from crawler.downloader import sent_away
from crawler.resolver import AddressDeniedError, GuardedResolver, refuse_denied

MAX_HEADER_BYTES = 32 * 1024  # a line; content security policies grow long
KEEP_ALIVE_S = 15.0
HANG_UP = object()  # Scrapy's way to tell all fetchers of a crawl, of which each scheme has its own
# As Scrapy tells them apart, so that its retries and our reasons read the same; the first that fits counts.
_ERRORS: list[tuple[type[BaseException], type[Exception]]] = [
    (aiohttp.InvalidURL, UnsupportedURLSchemeError),
    (aiohttp.ClientConnectorDNSError, CannotResolveHostError),
    (aiohttp.ClientConnectorError, DownloadConnectionRefusedError),
    (aiohttp.ClientPayloadError, ResponseDataLossError),
    (aiohttp.ClientError, DownloadFailedError),
    (OSError, DownloadFailedError),
    (ValueError, UnsupportedURLSchemeError),
]


class _Answer(aiohttp.ClientResponse):
    """Remembers the certificate and the line it came over: the connection may be given back before anyone asks for them."""

    certificate: bytes | None = None
    line: ResponseHandler | None = None

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        self.line = connection.protocol
        tls = connection.transport.get_extra_info("ssl_object") if connection.transport else None
        self.certificate = tls.getpeercert(binary_form=True) if tls else None
        return await super().start(connection)

    def is_cut_off(self) -> bool:
        """Whether a body that only the connection's end delimits ended with a reset; aiohttp takes that for its whole."""
        is_delimited = "Content-Length" in self.headers or "Transfer-Encoding" in self.headers
        return not is_delimited and self.line is not None and isinstance(self.line.exception(), aiohttp.ClientOSError)


class GuardedFetcher(BaseDownloadHandler):
    """One connection per host, which is kept open between two requests; a response's body is as it came over the wire."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        config: CrawlConfig = crawler.settings["BELLWETHER_CRAWL"]
        self._allow_nets = config.allow_nets
        self._max_bytes = crawler.settings.getint("DOWNLOAD_MAXSIZE")
        self._is_hung_up = False
        self._under_way: set[asyncio.Timeout] = set()
        crawler.signals.connect(self.hang_up, HANG_UP)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=GuardedResolver(config),
                use_dns_cache=False,  # the resolver keeps answers as long as they say, no longer
                happy_eyeballs_delay=None,
                limit=0,  # Scrapy counts
                limit_per_host=1,
                keepalive_timeout=KEEP_ALIVE_S,
                socket_factory=self._guarded_socket,
                ssl=_lenient_tls(),
            ),
            headers=crawler.settings.getdict("DEFAULT_REQUEST_HEADERS"),  # a request's own take their places
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            response_class=_Answer,
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            trust_env=False,
            timeout=aiohttp.ClientTimeout(),  # none of its own
        )

    async def download_request(self, request: Request) -> Response:
        """The answer to a request.

        Raises:
            AddressDeniedError: the host leads to a network that a crawl must not touch.
            CannotResolveHostError, DownloadConnectionRefusedError, DownloadTimeoutError, DownloadFailedError, ResponseDataLossError,
                UnsupportedURLSchemeError: as with Scrapy's own handlers.
            CrawlEndsError: the crawl hung up.
            DownloadCancelledError: the body is larger than a crawl takes.
        """
        if self._is_hung_up:
            raise sent_away(request)
        began = time.monotonic()
        timeout_s: float = request.meta["download_timeout"]
        limit = asyncio.timeout(timeout_s)
        self._under_way.add(limit)
        try:
            async with (
                limit,
                self._session.request(
                    request.method,
                    yarl.URL(request.url, encoded=True),
                    data=request.body or None,
                    headers=request.headers.to_tuple_list(),
                    allow_redirects=False,
                ) as answer,
            ):
                request.meta["download_latency"] = time.monotonic() - began
                body = await self._read(answer, request.url)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if self._is_hung_up:
                raise sent_away(request) from error
            raise _scrapy_error(error, request.url, timeout_s) from error
        finally:
            self._under_way.discard(limit)
        headers = Headers(answer.raw_headers)
        kind = responsetypes.from_args(headers=headers, url=request.url, body=body)
        certificate = answer.certificate if isinstance(answer, _Answer) else None
        return kind(request.url, status=answer.status, headers=headers, body=body, certificate=certificate)

    def hang_up(self) -> None:
        """Ends every connection in the middle of what comes over it; nothing is said of what was asked, and it stays due."""
        self._is_hung_up = True
        for limit in [each for each in self._under_way if not each.expired()]:
            limit.reschedule(asyncio.get_running_loop().time())

    async def close(self) -> None:
        """Ends every connection."""
        await self._session.close()

    async def _read(self, answer: aiohttp.ClientResponse, url: str) -> bytes:
        """The whole body, unless it promises to be, or becomes, too large."""
        n_bytes, chunks = 0, []
        if (answer.content_length or 0) > self._max_bytes:
            raise DownloadCancelledError(f"{url} is {answer.content_length} bytes, more than the {self._max_bytes} that a crawl takes")
        async for chunk in answer.content.iter_any():
            n_bytes += len(chunk)
            if n_bytes > self._max_bytes:
                answer.close()
                raise DownloadCancelledError(f"{url} is more than the {self._max_bytes} bytes that a crawl takes")
            chunks.append(chunk)
        if isinstance(answer, _Answer) and answer.is_cut_off():
            raise aiohttp.ClientPayloadError("the connection was reset in the middle of the body")
        return b"".join(chunks)

    def _guarded_socket(self, address: tuple[Any, ...]) -> socket.socket:
        """A socket for an address that may be connected to; aiohttp asks for one right before it connects."""
        family, kind, protocol, _, (host, *_) = address
        refuse_denied(host, host, self._allow_nets)
        return socket.socket(family, kind, protocol)


def _lenient_tls() -> ssl.SSLContext:
    """Certificates are looked at, not trusted: an expired one is something to report, no reason to look away."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _scrapy_error(error: Exception, url: str, timeout_s: float) -> Exception:
    cause = getattr(error, "os_error", None)
    if isinstance(cause, AddressDeniedError):
        return cause
    if isinstance(error, TimeoutError):
        return DownloadTimeoutError(f"{url} took longer than {timeout_s:g} s")
    kind = next(kind for caught, kind in _ERRORS if isinstance(error, caught))
    said = cause.strerror or cause if isinstance(cause, OSError) else error  # the cause does not name our own connection pool
    return kind(f"{url}: {said or type(error).__name__}"[:300])
