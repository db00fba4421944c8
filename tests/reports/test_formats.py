"""A report reads the same in every format, and nothing in it runs."""

from __future__ import annotations

import csv
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow.parquet
import pytest

from reports.formats import FORMATS, definition_of, write_xlsx

COLUMNS = ("AccountName", "Domain", "AzureFit", "AzureFitScore", "AzureReasons", "AgreementEndDate", "AsOf")
DEFINITIONS = {column: f"What {column} means." for column in COLUMNS}
FORMULAS = ("=1+1", "+SUM(A1)", "-2+3", "@cmd", "\t=1", "\r=1", '=HYPERLINK("https://x.test")', "＝1+1", "https://links.test/")
AS_OF = date(2026, 11, 1)


def _rows() -> list[dict[str, Any]]:
    return [
        {
            "AccountName": text, "Domain": f"a{i}.test", "AzureFit": "High", "AzureFitScore": 75.256, "AzureReasons": text, "AgreementEndDate": None,
            "AsOf": "2026-11-01",
        }
        for i, text in enumerate(FORMULAS)
    ]  # fmt: skip


def _write(tmp_path: Path, name: str) -> Path:
    path = tmp_path / f"report.{name}"
    assert FORMATS[name](path, COLUMNS, iter(_rows()), DEFINITIONS, AS_OF) == len(FORMULAS)
    return path


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_equal_rows_give_equal_bytes(tmp_path: Path, name: str) -> None:
    first = _write(tmp_path, name).read_bytes()
    assert _write(tmp_path, name).read_bytes() == first


def test_csv_cells_that_could_run_are_marked_and_numbers_stay_numbers(tmp_path: Path) -> None:
    with _write(tmp_path, "csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    # A tab or a line's end may begin a cell of its own, in a spreadsheet that cuts there.
    marked = ["'" + text.replace("\t", "\t'").replace("\r", "\r'") for text in FORMULAS[:-1]]
    assert [row["AccountName"] for row in rows] == [*marked, FORMULAS[-1]]
    assert {row["AzureFitScore"] for row in rows} == {"75.26"}


def test_xlsx_has_typed_cells_filters_a_frozen_head_and_definitions(tmp_path: Path) -> None:
    book = openpyxl.load_workbook(_write(tmp_path, "xlsx"))
    sheet = book["Report"]
    assert [cell.value for cell in sheet[1]] == list(COLUMNS)
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == f"A1:G{len(FORMULAS) + 1}"
    assert [row[0].value.replace("_x000D_", "\r") for row in sheet.iter_rows(min_row=2)] == list(FORMULAS)
    for row in sheet.iter_rows(min_row=2):
        assert all(cell.data_type != "f" and cell.hyperlink is None for cell in row)
        assert row[3].value == 75.26
        assert row[6].value == datetime(2026, 11, 1)
    assert [row[0].value for row in book["Definitions"].iter_rows(min_row=2)] == list(COLUMNS)


@pytest.mark.parametrize("limits", [{"rows_a_sheet": 4}, {"bytes_a_sheet": 1_500}])
def test_what_does_not_fit_a_sheet_goes_on_in_the_next(tmp_path: Path, limits: dict[str, int]) -> None:
    path = tmp_path / "report.xlsx"
    assert write_xlsx(path, COLUMNS, iter(_rows()), DEFINITIONS, AS_OF, **limits) == len(FORMULAS)
    assert [file.name for file in tmp_path.iterdir()] == ["report.xlsx"]
    sheets = openpyxl.load_workbook(path).worksheets
    assert [sheet.title for sheet in sheets[:2]] == ["Report", "Report 2"]
    assert sheets[-1].title == "Definitions"
    domains = [row[1].value for sheet in sheets[:-1] for row in sheet.iter_rows(min_row=2)]
    assert domains == [row["Domain"] for row in _rows()]


def test_parquet_has_types_and_definitions(tmp_path: Path) -> None:
    table = pyarrow.parquet.read_table(_write(tmp_path, "parquet"))
    assert [str(kind) for kind in table.schema.types] == ["string", "string", "string", "double", "string", "date32[day]", "date32[day]"]
    assert table.column("AccountName").to_pylist() == list(FORMULAS)
    assert table.column("AsOf").to_pylist() == [AS_OF] * len(FORMULAS)
    assert table.schema.field("AzureFit").metadata[b"definition"] == b"What AzureFit means."


def test_every_column_of_every_report_is_defined() -> None:
    from bellwether.catalogue_file import DEFAULT_CATALOGUE, load_catalogue
    from reports.declarations import DEFINITIONS, REPORTS

    catalogue = load_catalogue(DEFAULT_CATALOGUE)
    cohorts = {cohort.column for cohort in catalogue.cohorts}
    undefined = {
        column
        for report in REPORTS.values()
        for column in report.columns(catalogue)
        if column not in cohorts and not definition_of(column, DEFINITIONS)
    }
    assert undefined == set()
