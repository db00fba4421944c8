"""Rows of the large tables as columns, without a Python object for each field.

SQLite writes the rows of an account as one text and pyarrow parses the texts of many accounts at once, both in C: reading tuples by Python's
``sqlite3`` and turning them into arrays makes scoring take more than twice as long (benchmarks/README.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.columns import Floats, Texts, Whole
from storage.store import Store

if TYPE_CHECKING:
    import pyarrow

BATCH = 5_000  # accounts


@dataclass(frozen=True)
class Coded:
    """A column of few distinct texts: ``names[codes[i]]`` is row i's."""

    names: Sequence[str]
    codes: Whole


@dataclass(frozen=True)
class Block:
    """Rows of a SELECT, in its order; columns are named by their place."""

    accounts: Coded
    _table: pyarrow.Table

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def coded(self, column: int) -> Coded:
        """A column of texts that repeat."""
        if not len(self):
            return Coded((), np.zeros(0, dtype=np.int64))
        array = self._table.column(column).unify_dictionaries().combine_chunks()
        return Coded(array.dictionary.to_pylist(), array.indices.to_numpy(zero_copy_only=False).astype(np.int64))

    def days(self, column: int) -> Whole:
        """A column of dates as days since the year 1; each spelling is parsed once."""
        found = self.coded(column)
        return np.array([date.fromisoformat(text).toordinal() for text in found.names], dtype=np.int64)[found.codes]

    def texts(self, column: int) -> Texts:
        """A column of texts that differ from row to row."""
        found: Texts = self._table.column(column).to_numpy().astype(object)
        return found

    def floats(self, column: int) -> Floats:
        """A column of numbers, NaN for unknown."""
        found: Floats = self._table.column(column).to_numpy().astype(np.float64)
        return found


def read_block(store: Store, key: str, fields: Sequence[tuple[str, str]], source: str, parameters: Mapping[str, Any]) -> Block:
    """The rows of ``source`` in the order of the index that it names, which must begin with the account's id.

    Args:
        key: the account's id in ``source``.
        fields: SQL of each column, and its kind: ``code`` for texts that repeat, ``text`` for texts that do not, ``number`` (15 digits). No
            text may hold a control character: wrap what operators write in ``json_quote`` or ``json_array``.
        source: FROM and WHERE.
    """
    import pyarrow
    from pyarrow import csv

    names = [f"c{i}" for i in range(len(fields))]
    joined = " || char(31) || ".join(f"coalesce({sql}, '')" if kind == "number" else sql for sql, kind in fields)
    # One text per account: the rows come by account already, so nothing is sorted, and no text grows with the book.
    sql = f"SELECT {key}, count(*), CAST(group_concat({joined}, char(10)) AS BLOB) {source} GROUP BY {key}"
    rows = [row for batch in store.batches(sql, parameters, BATCH) for row in batch]
    accounts = Coded([row[0] for row in rows], np.repeat(np.arange(len(rows)), np.array([row[1] for row in rows], dtype=np.int64)))
    types = {"code": pyarrow.dictionary(pyarrow.int32(), pyarrow.string()), "text": pyarrow.string(), "number": pyarrow.float64()}
    schema = pyarrow.schema([(name, types[kind]) for name, (_, kind) in zip(names, fields, strict=True)])
    if not rows:
        return Block(accounts, schema.empty_table())
    text = b"\n".join([row[2] for row in rows])
    return Block(
        accounts,
        csv.read_csv(
            pyarrow.BufferReader(text),
            read_options=csv.ReadOptions(column_names=names, use_threads=False),
            parse_options=csv.ParseOptions(delimiter="\x1f", quote_char=False),
            convert_options=csv.ConvertOptions(column_types=schema, null_values=[""]),
        ),
    )
