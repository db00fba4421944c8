"""The file formats of a report: CSV, XLSX and Parquet. Rows are written as they come; equal rows give equal bytes."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any

from reports.spreadsheet import safe_cell
from storage.store import Row

PARQUET_BATCH = 5_000
ROWS_A_SHEET = 1_048_575  # Excel's most, less the header
BYTES_A_SHEET = 1_900_000_000  # a part of 2 GiB makes the file one of ZIP64, which Excel offers to repair
BYTES_A_CELL = 52  # of its marks, beside its text
NUMBER_ENDINGS = ("FitScore", "SignalsScore", "PotentialRevenueLow", "PotentialRevenueHigh", "ExpiringRevenue")
DATE_COLUMNS = ("AsOf", "AgreementEndDate")
WIDE_COLUMNS = ("AccountName", "Reasons", "EvidenceUrls", "RecommendedNextWorkloads")


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Row], definitions: dict[str, str], as_of: date) -> int:
    """Writes UTF-8 with a byte-order mark, as spreadsheets want it; returns the number of rows."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        n_rows = 0
        for row in rows:
            writer.writerow([safe_cell(row[column]) for column in columns])
            n_rows += 1
    return n_rows


def write_xlsx(
    path: Path,
    columns: Sequence[str],
    rows: Iterable[Row],
    definitions: dict[str, str],
    as_of: date,
    rows_a_sheet: int = ROWS_A_SHEET,
    bytes_a_sheet: int = BYTES_A_SHEET,
) -> int:
    """Writes sheets with typed cells, filters and a frozen header, and a sheet of definitions; no cell is a formula or a link.

    A sheet holds at most 1,048,575 rows under its header and some 1.9 GB of text; what is more goes on in "Report 2" and so on.
    """
    import xlsxwriter

    # Rows pass through a file beside the report, where there is room for it: a system's folder for temporary files may be in memory.
    options = {
        "constant_memory": True, "tmpdir": str(path.parent), "use_zip64": True,
        "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False,
    }  # fmt: skip
    remaining, n_rows, n_sheets = iter(rows), 0, 0
    with xlsxwriter.Workbook(path, options) as book:
        book.set_properties({"created": datetime(as_of.year, as_of.month, as_of.day)})
        head = book.add_format({"bold": True, "bottom": 1})
        formats = book.add_format({"num_format": "yyyy-mm-dd"}), book.add_format({"num_format": "#,##0.##"})
        first = next(remaining, None)
        while first is not None or not n_sheets:
            n_sheets += 1
            sheet = book.add_worksheet(f"Report {n_sheets}" if n_sheets > 1 else "Report")
            below = chain([first], remaining) if first is not None else iter(())
            n_rows += _write_sheet(sheet, columns, islice(below, rows_a_sheet), bytes_a_sheet, head, formats)
            first = next(remaining, None)
        _write_definitions(book, head, columns, definitions)
    return n_rows


def _write_sheet(sheet: Any, columns: Sequence[str], rows: Iterable[Row], most_bytes: int, head: Any, formats: tuple[Any, Any]) -> int:
    """Writes rows until there are no more or the sheet is full; returns how many."""
    day, number = formats
    sheet.freeze_panes(1, 0)
    for i, column in enumerate(columns):
        sheet.set_column(i, i, 40 if column.endswith(WIDE_COLUMNS) else max(10, min(24, len(column) + 2)))
        sheet.write_string(0, i, column, head)
    n_rows = n_bytes = 0
    for n_rows, row in enumerate(rows, start=1):
        for i, column in enumerate(columns):
            value = typed(column, row[column])
            if isinstance(value, date):
                sheet.write_datetime(n_rows, i, datetime(value.year, value.month, value.day), day)
            elif isinstance(value, float):
                sheet.write_number(n_rows, i, value, number)
            elif value:
                text = str(value).replace("\x00", "")[:32_767]
                sheet.write_string(n_rows, i, text)
                n_bytes += len(text) if text.isascii() else len(text.encode())
        n_bytes += BYTES_A_CELL * len(columns)
        if n_bytes > most_bytes:
            break
    sheet.autofilter(0, 0, max(1, n_rows), len(columns) - 1)
    return n_rows


def write_parquet(path: Path, columns: Sequence[str], rows: Iterable[Row], definitions: dict[str, str], as_of: date) -> int:
    """Writes typed columns: text, float64 for scores and money, date32; the definitions stand in the fields' metadata."""
    import pyarrow
    import pyarrow.parquet

    kinds = {date: pyarrow.date32(), float: pyarrow.float64(), str: pyarrow.string()}
    schema = pyarrow.schema(
        [pyarrow.field(column, kinds[type_of(column)], metadata={"definition": definitions.get(column, "")}) for column in columns]
    )
    remaining = iter(rows)
    n_rows = 0
    with pyarrow.parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        while batch := list(islice(remaining, PARQUET_BATCH)):
            values = {column: [typed(column, row[column]) for row in batch] for column in columns}
            writer.write_table(pyarrow.table(values, schema=schema))
            n_rows += len(batch)
    return n_rows


FORMATS = {"csv": write_csv, "xlsx": write_xlsx, "parquet": write_parquet}


def type_of(column: str) -> type:
    """What a column holds: ``float``, ``date`` or ``str``."""
    if column.endswith(NUMBER_ENDINGS):
        return float
    return date if column in DATE_COLUMNS else str


def typed(column: str, value: object) -> Any:
    """A value as its column's type; None when unknown."""
    if value is None or value == "":
        return None
    kind = type_of(column)
    if kind is float:
        return round(float(value), 2)  # type: ignore[arg-type]
    return date.fromisoformat(str(value)) if kind is date else str(value)


def definition_of(column: str, definitions: dict[str, str]) -> str:
    """The definition of a column; those of a product area share one.

    >>> definition_of("AzureFit", {"Fit": "Band of the fit score."})
    'Band of the fit score.'
    """
    ending = next((name for name in sorted(definitions, key=len, reverse=True) if column == name or column.endswith(name)), None)
    return definitions[ending] if ending else ""


def _write_definitions(book: Any, head: Any, columns: Sequence[str], definitions: dict[str, str]) -> None:
    sheet = book.add_worksheet("Definitions")
    sheet.set_column(0, 0, 30)
    sheet.set_column(1, 1, 110)
    lines: Iterator[tuple[str, str]] = ((column, definitions.get(column, "")) for column in columns)
    for i, line in enumerate([("Column", "What it means"), *lines]):
        for j, text in enumerate(line):
            sheet.write_string(i, j, text, head if i == 0 else None)
