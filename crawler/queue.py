"""Which request is next: sites take turns."""

from __future__ import annotations

from typing import Any

from scrapy import Request
from scrapy.pqueues import DownloaderAwarePriorityQueue


class SitesInTurn(DownloaderAwarePriorityQueue):
    """Scrapy's queue of queues by site, without its arithmetic.

    For each request that one asks every waiting site how busy it is, and it counts them all to know whether any is left: with 10,000 sites that took longer
    than fetching. Here a site goes to the end of the line with each request of its own, and a busy one is passed over; no more of them stand in front than
    requests are under way.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._n_requests = 0

    def push(self, request: Request) -> None:
        """Puts a request behind others of its site."""
        super().push(request)
        self._n_requests += 1

    def pop(self) -> Request | None:
        """A request of the first site in line to which nothing is under way, or of the first."""
        site = self._next_site()
        if site is None:
            return None
        queue = self.pqueues.pop(site)
        request = queue.pop()
        self._n_requests -= 1
        if len(queue):
            self.pqueues[site] = queue
        else:
            queue.close()
        return request

    def peek(self) -> Request | None:
        """What ``pop`` would give."""
        site = self._next_site()
        return self.pqueues[site].peek() if site is not None else None

    def close(self) -> dict[str, list[int]]:
        """Forgets all requests."""
        self._n_requests = 0
        return super().close()

    def __len__(self) -> int:
        return self._n_requests

    def _next_site(self) -> str | None:
        slots = self._downloader_interface.downloader.slots
        for site in self.pqueues:
            if site not in slots or not slots[site].active:
                return site
        return next(iter(self.pqueues), None)
