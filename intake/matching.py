"""Finds the account a CRM's row speaks of: by domain, then by name, then by customer id, then by tenant id."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from intake.names import MATCH, name_similarity, name_words
from storage.store import Row

FIRST_LETTERS = 3  # names are compared when a telling word of each begins alike
MOST_COMPARED = 500


class NoMatchError(Exception):
    """No account, or several; ``column`` is the one to look at."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column = column
        self.reason = reason


class AccountMatcher:
    """Matches rows, and counts what was matched how."""

    def __init__(self, accounts: Iterable[Row]) -> None:
        self.n_matched: Counter[str] = Counter()
        self._domains: dict[str, Row] = {}
        self._by: dict[str, dict[str, list[Row]]] = {"customer_id": defaultdict(list), "tenant_id": defaultdict(list)}
        self._beginnings: dict[str, list[Row]] = defaultdict(list)
        for account in accounts:
            self._domains[account["domain"]] = account
            for column, index in self._by.items():
                if account[column]:
                    index[account[column]].append(account)
            for beginning in _beginnings(account["account_name"]):
                self._beginnings[beginning].append(account)

    def match(self, row: dict[str, Any]) -> str:
        """The id of the row's account.

        Raises:
            NoMatchError: no account fits, or several fit equally well.
        """
        if (found := self._domains.get(row["domain"] or "")) is not None:
            owners = [account["account_id"] for account in self._by["customer_id"].get(row["customer_id"] or "", [])]
            if owners and found["account_id"] not in owners:
                raise NoMatchError("customer_id", f"belongs to another account than the domain {row['domain']!r}: {row['customer_id']!r}")
            return self._counted("domain", found)
        if row["account_name"] and (found := self._by_name(row["account_name"])) is not None:
            return self._counted("account_name", found)
        for column, index in self._by.items():
            fitting = index.get(row[column] or "", [])
            if len(fitting) == 1:
                return self._counted(column, fitting[0])
            if fitting:
                raise NoMatchError(column, f"is ambiguous, it fits {_domains_of(fitting)}: {row[column]!r}")
        column = next(name for name in ("domain", "account_name", "customer_id", "tenant_id") if row[name])
        words = {"domain": "is no account's domain", "account_name": "is like no account's name"}.get(
            column, f"is no account's {column.replace('_', ' ')}"
        )
        raise NoMatchError(column, f"{words}; import accounts first: {row[column]!r}")

    def _by_name(self, name: str) -> Row | None:
        candidates = {account["account_id"]: account for beginning in _beginnings(name) for account in self._beginnings.get(beginning, [])}
        if len(candidates) > MOST_COMPARED:  # a name of common words only: those that share them all
            words = set(name_words(name))
            candidates = {key: account for key, account in candidates.items() if words <= set(name_words(account["account_name"]))}
        scored = [(name_similarity(name, account["account_name"]), account) for account in candidates.values()]
        best = max((similarity for similarity, _ in scored), default=0.0)
        fitting = [account for similarity, account in scored if similarity >= MATCH and similarity == best]
        if len(fitting) > 1:
            raise NoMatchError("account_name", f"is ambiguous, it fits {_domains_of(fitting)}; add the domain: {name!r}")
        return fitting[0] if fitting else None

    def _counted(self, how: str, account: Row) -> str:
        self.n_matched[how] += 1
        return str(account["account_id"])


def _beginnings(name: str) -> set[str]:
    return {word[:FIRST_LETTERS] for word in name_words(name)}


def _domains_of(accounts: list[Row]) -> str:
    return " and ".join(sorted(account["domain"] for account in accounts)[:4])
