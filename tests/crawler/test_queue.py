"""Sites take turns, whatever their number."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from scrapy import Request
from scrapy.squeues import FifoMemoryQueue
from scrapy.utils.test import get_crawler

from crawler.queue import SitesInTurn


class _Slots(dict[str, Any]):
    """The sites to which something is under way, counting how often one of them is asked after."""

    n_asked = 0

    def __contains__(self, site: object) -> bool:
        self.n_asked += 1
        return super().__contains__(site)


@pytest.fixture
def slots() -> _Slots:
    return _Slots()


@pytest.fixture
def queue(slots: _Slots) -> SitesInTurn:
    crawler = get_crawler()
    downloader = SimpleNamespace(slots=slots, get_slot_key=lambda request: urlsplit(request.url).hostname)
    crawler.engine = SimpleNamespace(downloader=downloader)  # type: ignore[assignment]
    return SitesInTurn(crawler, FifoMemoryQueue, "")


def _urls(queue: SitesInTurn) -> list[str]:
    urls = []
    while (request := queue.pop()) is not None:
        urls.append(request.url.removeprefix("http://"))
    return urls


def test_sites_take_turns_and_a_site_keeps_the_order_and_urgency_of_its_pages(queue: SitesInTurn) -> None:
    for url, priority in (("a/1", 0), ("a/2", 0), ("a/first", 5), ("b/1", 0), ("c/1", 0), ("b/2", 0)):
        queue.push(Request(f"http://{url}", priority=priority))
    assert len(queue) == 6
    assert queue.peek() is not None
    assert _urls(queue) == ["a/first", "b/1", "c/1", "a/1", "b/2", "a/2"]
    assert (len(queue), queue.peek(), queue.pop()) == (0, None, None)


def test_a_busy_site_is_passed_over_unless_all_are_busy(queue: SitesInTurn, slots: _Slots) -> None:
    for site in "abc":
        queue.push(Request(f"http://{site}/"))
    slots["a"] = SimpleNamespace(active={"something"})
    slots["b"] = SimpleNamespace(active=set())
    assert _urls(queue) == ["b/", "c/", "a/"]


def test_the_work_for_a_request_does_not_grow_with_the_number_of_sites(queue: SitesInTurn, slots: _Slots) -> None:
    for n in range(3_000):
        for page in range(2):
            queue.push(Request(f"http://site{n}/{page}"))
    served = Counter(url.partition("/")[0] for url in _urls(queue))
    assert set(served.values()) == {2}
    assert slots.n_asked == 6_000
