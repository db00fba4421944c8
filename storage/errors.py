"""Every error the engine raises on purpose, drawn at the top:

BellwetherError                 an expected failure; the command prints its message and ends with 1
├── ConfigError                 bellwether.toml or a catalogue file says something we cannot follow
├── InputError                  a file from outside cannot be read at all (single bad rows are rejects instead)
├── StoreError                  the SQLite store
│   ├── StoreMissingError       no store where one was expected
│   ├── StoreVersionError       the store was made by a newer version
│   └── StoreLockedError        another job is writing
├── ArchiveError                a WARC file or record cannot be read
├── ModelError                  a model file is missing or not the one we know
└── UnknownAccountError         no account under that name
"""

from __future__ import annotations


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


class ModelError(BellwetherError):
    """A model is missing, damaged, or not the one that was asked for."""


class UnknownAccountError(BellwetherError):
    """No account has that domain, name or id."""
