"""How long the sites of a crawl wait for a few others: a kind of crawl ends when hardly anyone is left and those take long.

Feeds are read when all home pages have been looked at, articles when all feeds have been read. One site that drips its answers would hold up everybody.
So whoever is late has a turn of its own, when all the others were served.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

PREPARING = ("domains", "feeds")  # the kinds whose end others wait for
MAX_LATE_SHARE = 0.05  # of the accounts; more of them are no few
WAIT_SHARE = 0.1  # of the time that all the others took
LEAST_WAIT_S = 1.0


@dataclass(frozen=True, slots=True)
class Turn:
    """Whose turn it is: at first everybody's but those who were late before, at last theirs alone.

    ``is_waited_for`` says that another kind of crawl begins when this one ends.
    """

    late: frozenset[str] = frozenset()
    is_last: bool = False
    is_waited_for: bool = False

    def takes(self, account_id: str) -> bool:
        """Whether an account is served in this turn."""
        return (account_id in self.late) == self.is_last


class Patience:
    """Which accounts still have something under way, and whether the others waited long enough for them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._since: float | None = None  # when hardly anyone was left
        self._under_way: Counter[str] = Counter()
        self._n_accounts = 0
        self.n_set_out = 0

    def set_out(self, account_id: str) -> None:
        """Something of an account's is under way."""
        self.n_set_out += 1
        self._n_accounts += account_id not in self._under_way
        self._under_way[account_id] += 1

    def came_back(self, account_id: str) -> None:
        """One thing less."""
        self._under_way[account_id] -= 1
        if not self._under_way[account_id]:
            del self._under_way[account_id]

    def late(self) -> frozenset[str]:
        """The accounts that are waited for no longer; none as long as they are many, or did not take long.

        To be asked when everything has set out.
        """
        if len(self._under_way) > MAX_LATE_SHARE * self._n_accounts:
            return frozenset()
        now = self._clock()
        self._since = self._since if self._since is not None else now
        wait_s = max(LEAST_WAIT_S, WAIT_SHARE * (self._since - self._began))
        return frozenset(self._under_way) if now - self._since >= wait_s else frozenset()
