"""LibreOffice opens every report, with what could run in every text column, and finds no formula; numbers stay numbers."""

from __future__ import annotations

import csv
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from reports import FORMATS, REPORTS
from reports.formats import type_of
from reports.writing import define_columns
from tests.scoring.books import CATALOGUE

SOFFICE = shutil.which("soffice")
AS_OF = date(2026, 11, 1)
PAYLOADS = (
    "=1+1", "+1+1", "-1+1", "@SUM(1;1)", "\t=1+1", "\r=1+1", "\n=1+1", " =1+1", "\u00a0=1+1", "＝1+1", "＋1+1", "=SUM(1,1)", "=SUM(1;1)", '"=1+1"',
    '=1+1","=1+1', "{=1+1}", "name;=1+1", "name; +1+1", "name\t=1+1", "name\n=1+1", "name\r\n@SUM(1;1)", "name|=1+1", "=cmd|' /C calc'!A0", '=HYPERLINK("https://x.test","x")',
    '=WEBSERVICE("https://x.test")', "=DDE(\"soffice\";\"x\";\"y\")", "'=1+1", "https://links.test/=1+1",
)  # fmt: skip
# LibreOffice's options of reading text: separator, quote, UTF-8, from line 1, no column formats, English, quoted is no text, find numbers, …, run formulas.
OPTIONS = "CSV:{separator},34,76,1,,1033,false,true,false,false,false,-1,true"
SEPARATORS = {"comma": 44, "semicolon": 59, "tab": 9}
NAMESPACES = {
    "table": "urn:oasis:names:tc:opendocument:xmlns:table:1.0",
    "office": "urn:oasis:names:tc:opendocument:xmlns:office:1.0",
}
FORMULA, VALUE_TYPE, VALUE, REPEATED = (
    f"{{{NAMESPACES[space]}}}{name}"
    for space, name in (("table", "formula"), ("office", "value-type"), ("office", "value"), ("table", "number-columns-repeated"))
)


def _row(columns: tuple[str, ...], payload: str) -> dict[str, Any]:
    kinds = {str: payload, float: -1234.5, date: "2026-11-01"}
    return {column: kinds[type_of(column)] for column in columns}


def _write_reports(folder: Path, file_format: str) -> dict[Path, tuple[str, ...]]:
    """Every report with every payload in every text column, and the columns of each."""
    written = {}
    for report in REPORTS.values():
        columns = report.columns(CATALOGUE)
        path = folder / f"{report.name}.{file_format}"
        rows = [_row(columns, payload) for payload in PAYLOADS]
        FORMATS[file_format](path, columns, iter(rows), define_columns(CATALOGUE, columns), AS_OF)
        written[path] = columns
    return written


def _opened(paths: list[Path], out: Path, *options: str) -> list[Path]:
    """The files as LibreOffice understands them, as flat XML."""
    profile = f"-env:UserInstallation={(out.parent / 'profile').as_uri()}"
    command = [str(SOFFICE), profile, "--headless", "--norestore", *options, "--convert-to", "fods", "--outdir", str(out), *map(str, paths)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return [out / f"{path.stem}.fods" for path in paths]


def _cells(path: Path, sheet: int = 0) -> Iterator[list[Any]]:
    """Rows of a sheet as cells, each as often as it stands there."""
    tables = etree.parse(path).iterfind(".//table:table", NAMESPACES)
    for row in list(tables)[sheet].iterfind(".//table:table-row", NAMESPACES):
        yield [cell for cell in row for _ in range(min(200, int(cell.get(REPEATED, "1"))))]


def _n_formulas(path: Path) -> int:
    return sum(cell.get(FORMULA) is not None for cell in etree.parse(path).iter(f"{{{NAMESPACES['table']}}}table-cell"))


def _numbers(path: Path, columns: tuple[str, ...]) -> set[tuple[str | None, str | None]]:
    """What the cells of number columns are."""
    wanted = [i for i, column in enumerate(columns) if type_of(column) is float]
    rows = list(_cells(path))[1 : len(PAYLOADS) + 1]
    return {(row[i].get(VALUE_TYPE), row[i].get(VALUE)) for row in rows for i in wanted}


@pytest.mark.skipif(SOFFICE is None, reason="no LibreOffice on this machine (Debian: apt-get install libreoffice-calc-nogui)")
@pytest.mark.parametrize("separator", SEPARATORS)
def test_no_cell_of_a_csv_report_is_a_formula(tmp_path: Path, separator: str) -> None:
    """Also where the reader cuts lines at another separator, and evaluates what it can."""
    written = _write_reports(tmp_path, "csv")
    plain = tmp_path / "plain.csv"
    with plain.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([["AccountName"], *([payload] for payload in PAYLOADS)])
    options = OPTIONS.format(separator=SEPARATORS[separator])
    *opened, control = _opened([*written, plain], tmp_path / "out", f"--infilter={options}")
    assert _n_formulas(control) > 5, "this reader runs nothing, so that nothing is shown"
    assert {path.stem: _n_formulas(path) for path in opened} == dict.fromkeys(REPORTS, 0)
    if separator == "comma":
        for path, columns in zip(opened, written.values(), strict=True):
            assert _numbers(path, columns) == {("float", "-1234.5")}
            assert len(list(_cells(path))) >= len(PAYLOADS) + 1


@pytest.mark.skipif(SOFFICE is None, reason="no LibreOffice on this machine (Debian: apt-get install libreoffice-calc-nogui)")
def test_no_cell_of_an_xlsx_report_is_a_formula(tmp_path: Path) -> None:
    written = _write_reports(tmp_path, "xlsx")
    opened = _opened(list(written), tmp_path / "out")
    assert {path.stem: _n_formulas(path) for path in opened} == dict.fromkeys(REPORTS, 0)
    for path, columns in zip(opened, written.values(), strict=True):
        assert _numbers(path, columns) == {("float", "-1234.5")}
        texts = {"".join(cell.itertext()).strip() for row in list(_cells(path))[1:] for cell in row}
        assert {"=1+1", "@SUM(1;1)", '=HYPERLINK("https://x.test","x")'} <= texts  # as they were, and only shown


def test_no_cell_of_an_xlsx_report_is_written_as_a_formula_or_a_link(tmp_path: Path) -> None:
    """The same without LibreOffice: nothing in the file asks any program to run or open anything."""
    for path in _write_reports(tmp_path, "xlsx"):
        with zipfile.ZipFile(path) as parts:
            sheets = [name for name in parts.namelist() if name.startswith("xl/worksheets/")]
            assert len(sheets) >= 2
            for name in sheets:
                assert b"<f>" not in parts.read(name)
                assert b"<hyperlink" not in parts.read(name)
            assert not [name for name in parts.namelist() if "externalLink" in name or "_rels/sheet" in name]
