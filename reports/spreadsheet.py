"""Cells that a spreadsheet shows and never runs."""

from __future__ import annotations

import re

# OWASP: cells that begin with one of these are taken for formulas by spreadsheet programs; white space before them does not help.
# The same holds behind what is a separator where a comma is none: a file opened by a double click is cut at the separators of that country.
_COULD_RUN = re.compile(r"(^(?=[\t\r\n])|(?:^|[;|\t\r\n])(?=[^\S\t\r\n]*[=+\-@＝＋－＠]))")


def safe_cell(value: object) -> object:
    """Text that could be run gets an apostrophe in front; numbers stay numbers; unknown is empty.

    >>> safe_cell("=1+1"), safe_cell(-3.5), safe_cell(None), safe_cell("Hallam & Reeve")
    ("'=1+1", -3.5, '', 'Hallam & Reeve')
    >>> safe_cell("North; =1+1")
    "North;' =1+1"

    Source: OWASP, CSV injection.
    """
    if value is None:
        return ""
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else round(value, 2)
    return _COULD_RUN.sub(r"\1'", str(value).replace("\x00", ""))
