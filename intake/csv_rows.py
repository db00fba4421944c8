"""Rows of a CSV file as people really export them: any usual encoding, delimiter and damage; one bad row costs one row."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from storage.errors import InputError

MAX_LINES_PER_RECORD = 50
MAX_FIELD_CHARS = 2_000
DELIMITERS = ",;\t|"


@dataclass(frozen=True, slots=True)
class CsvRow:
    """A record of the file: its first line's number (the header is line 1) and its fields by column name."""

    line: int
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class Reject:
    """Why a row was not taken: line, column (empty when it is the whole row), reason, and the raw row."""

    line: int
    column: str
    reason: str
    raw: str


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A decoded CSV file: its column names as we spell them, its delimiter and its physical lines."""

    columns: tuple[str, ...]
    delimiter: str
    encoding: str
    lines: tuple[str, ...]
    first_line: int  # number of the line behind the header

    def iter_rows(self) -> Iterator[CsvRow | Reject]:
        """Every record in the order of the file, as a row or as a reject."""
        i = 0
        while i < len(self.lines):
            number, line = self.first_line + i, self.lines[i]
            if not line.strip(" \t\r\n" + self.delimiter):
                i += 1
                continue
            n_lines, fields = self._record(i)
            raw = "".join(self.lines[i : i + n_lines]).rstrip("\r\n")
            i += n_lines
            yield self._row_or_reject(number, fields, raw)

    def _record(self, i: int) -> tuple[int, list[str] | None]:
        """How many lines the record at line i takes, and its fields; None for fields that no quote closes."""
        text = self.lines[i]
        n_lines = 1
        while text.count('"') % 2 and n_lines < MAX_LINES_PER_RECORD and i + n_lines < len(self.lines):
            text += self.lines[i + n_lines]
            n_lines += 1
        if text.count('"') % 2 == 0:
            fields = self._split(text)
            if n_lines == 1 or (fields is not None and len(fields) == len(self.columns)):
                return n_lines, fields
        # A stray quote must not swallow the good rows below it: give up this line only.
        return 1, None

    def _split(self, text: str) -> list[str] | None:
        try:
            records = list(csv.reader(text.splitlines(keepends=True), delimiter=self.delimiter, strict=True))
        except csv.Error:
            return None
        return records[0] if len(records) == 1 else None

    def _row_or_reject(self, number: int, fields: list[str] | None, raw: str) -> CsvRow | Reject:
        if fields is None:
            return Reject(number, "", "a quote is opened and not closed, or stands inside a field", raw[:500])
        while len(fields) > len(self.columns) and not fields[-1].strip():
            fields.pop()  # trailing delimiters, as spreadsheets write them
        if len(fields) != len(self.columns):
            return Reject(number, "", f"has {len(fields)} columns, the header has {len(self.columns)}", raw[:500])
        for column, value in zip(self.columns, fields, strict=True):
            if reason := _unreadable(value):
                return Reject(number, column, reason, raw[:500])
        return CsvRow(number, {column: value.strip() for column, value in zip(self.columns, fields, strict=True)})


def read_csv(path: Path, known_columns: frozenset[str]) -> CsvFile:
    """The file, decoded, with its delimiter told from the header.

    Raises:
        InputError: the file is missing, empty, or holds no header that we know a column of.
    """
    try:
        body = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    text, encoding = _decode(body, path)
    csv.field_size_limit(max(csv.field_size_limit(), 50_000_000))
    lines = text.splitlines(keepends=True) if "\r\n" in text or "\n" in text else text.replace("\r", "\n").splitlines(keepends=True)
    lines = _join_odd_breaks(lines)
    first = next((i for i, line in enumerate(lines) if line.strip()), None)
    if first is None:
        raise InputError(f"{path} is empty; expected a header line with column names")
    delimiter = max(DELIMITERS, key=lambda mark: (len(known_columns & set(_header(lines[first], mark))), lines[first].count(mark)))
    columns = _header(lines[first], delimiter)
    if not known_columns & set(columns):
        raise InputError(
            f"{path} line {first + 1} names none of our columns ({', '.join(sorted(known_columns)[:6])} …); found: {', '.join(columns)[:200]}"
        )
    doubled = sorted({column for column in columns if columns.count(column) > 1})
    if doubled:
        raise InputError(f"{path} line {first + 1} names the column {doubled[0]} twice; rename one of them")
    return CsvFile(tuple(columns), delimiter, encoding, tuple(lines[first + 1 :]), first + 2)


def _join_odd_breaks(lines: list[str]) -> list[str]:
    """str.splitlines also breaks at form feeds and exotic separators; only line ends end a CSV line."""
    joined: list[str] = []
    for line in lines:
        if joined and not joined[-1].endswith(("\n", "\r")):
            joined[-1] += line
        else:
            joined.append(line)
    return joined


def _header(line: str, delimiter: str) -> list[str]:
    try:
        names = next(csv.reader([line.strip("\r\n")], delimiter=delimiter))
    except (csv.Error, StopIteration):
        return []
    while names and not names[-1].strip():
        names.pop()
    return [name.strip().strip("\ufeff").lower().replace(" ", "_").replace("-", "_") for name in names]


def _decode(body: bytes, path: Path) -> tuple[str, str]:
    for mark, encoding in ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if body.startswith(mark):
            return body.decode(encoding, "surrogateescape" if encoding == "utf-8-sig" else "replace"), encoding
    if body[:200].count(b"\x00") > 20:
        raise InputError(f"{path} looks like UTF-16 without a byte-order mark or is no text; save it as UTF-8 CSV")
    try:
        return body.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return _decode_mixed(body)


def _decode_mixed(body: bytes) -> tuple[str, str]:
    """A file that is not UTF-8 throughout: Windows-1252 when no line outside ASCII is UTF-8, else UTF-8 with bad rows marked."""
    n_utf8 = n_other = 0
    for line in body.split(b"\n"):
        if line.isascii():
            continue
        try:
            line.decode("utf-8")
            n_utf8 += 1
        except UnicodeDecodeError:
            n_other += 1
    if n_utf8 <= n_other // 20:
        return body.decode("cp1252", "surrogateescape"), "windows-1252"
    return body.decode("utf-8", "surrogateescape"), "utf-8"


def _unreadable(value: str) -> str | None:
    if len(value) > MAX_FIELD_CHARS:
        return f"is {len(value):,} characters long, at most {MAX_FIELD_CHARS:,} are taken"
    if any("\udc80" <= char <= "\udcff" for char in value):
        return "holds bytes that are not valid in the file's encoding"
    if "\ufffd" in value:
        return "holds a replacement character: its text was lost before it came here"
    if any(ord(char) < 32 and char not in "\t\r\n" for char in value) or "\x7f" in value:
        return "holds control characters"
    return None
