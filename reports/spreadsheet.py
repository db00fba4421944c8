"""Cells that a spreadsheet shows and never runs."""

from __future__ import annotations

# OWASP: cells that begin with one of these are taken for formulas by spreadsheet programs.
DANGEROUS_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def safe_cell(value: object) -> object:
    """Text that could be run gets an apostrophe in front; numbers stay numbers; unknown is empty.

    >>> safe_cell("=1+1"), safe_cell(-3.5), safe_cell(None), safe_cell("Hallam & Reeve")
    ("'=1+1", -3.5, '', 'Hallam & Reeve')

    Source: OWASP, CSV injection.
    """
    if value is None:
        return ""
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else round(value, 2)
    text = str(value).replace("\x00", "")
    return "'" + text if text.lstrip(" ").startswith(DANGEROUS_STARTS) else text
