"""Models as JSON: plain numbers and texts, nothing that runs."""

from __future__ import annotations

import json
from typing import Any


def write_parameters(number: int, **fields: Any) -> str:
    """The parameters of a model in the format of that number; the same text for the same model."""
    return json.dumps({"format": number, **fields}, sort_keys=True)


def read_parameters(text: str, number: int) -> dict[str, Any]:
    """What ``write_parameters`` was given.

    Raises:
        ValueError: another format.
    """
    fields: dict[str, Any] = json.loads(text)
    if fields.pop("format", None) != number:
        raise ValueError("the model was saved in another format; refit it with `bellwether learn`")
    return fields
