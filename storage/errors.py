"""Every error the engine raises on purpose, drawn at the top:

BellwetherError                 an expected failure; the command prints its message and ends with 1
├── ConfigError                 bellwether.toml or a catalogue file says something we cannot follow
├── InputError                  a file from outside cannot be read at all (single bad rows are rejects instead)
├── StoreError                  the SQLite store
│   ├── StoreMissingError       no store where one was expected
│   ├── StoreVersionError       the store was made by a newer version
│   └── StoreLockedError        another job is writing
├── ArchiveError                a WARC file or record cannot be read
├── UnhealthyCrawlError         more of a crawl's requests failed than crawl.max_failed_share allows
├── ModelError                  a model file is missing or not the one we know
└── UnknownAccountError         no account under that name
"""

from __future__ import annotations

import errno
import sqlite3


class BellwetherError(Exception):
    """An expected failure whose message says what, which value, where, and what to do."""


class ConfigError(BellwetherError):
    """A configuration file holds a value or key we cannot follow."""


class InputError(BellwetherError):
    """A file from outside cannot be read at all."""


class StoreError(BellwetherError):
    """The SQLite store cannot do what was asked."""


class StoreMissingError(StoreError):
    """There is no store at the path."""


class StoreVersionError(StoreError):
    """The store carries migrations this version does not know."""


class StoreLockedError(StoreError):
    """Another process holds the writer's lock."""


class ArchiveError(BellwetherError):
    """A WARC file or record cannot be read."""


class UnhealthyCrawlError(BellwetherError):
    """So much of a crawl failed that somebody should look; what came home is kept."""


class ModelError(BellwetherError):
    """A model is missing, damaged, or not the one that was asked for."""


class UnknownAccountError(BellwetherError):
    """No account has that domain, name or id."""


_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_GO_ON = "what was written before stands; run the command again"


def what_broke(error: OSError | sqlite3.Error) -> str | None:
    """One line about a machine that failed under us, and what to do; None for anything else, which is a mistake of ours."""
    if isinstance(error, OSError):
        where = f" at {error.filename}" if error.filename else ""
        if error.errno in _DISK_FULL:
            return f"the disk is full{where}; make room: {_GO_ON}"
        if error.errno == errno.EIO:
            return f"the disk failed{where}: {error.strerror}; look at the machine's log, then run `bellwether doctor`"
        return None
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith("SQLITE_FULL"):
        return f"the disk is full; make room: {_GO_ON}"
    if name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY")):
        return (
            f"the store cannot be read or written: {error}; look at the machine's log and the folder's rights, then run `bellwether doctor`"
        )
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return f"the store is damaged: {error}; move it away and run `bellwether restore` with the latest backup"
    return None
