"""The stylesheet and the mark: the only files the pages load, from here and nowhere else."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from django.http import HttpRequest, HttpResponse, HttpResponseNotFound

FOLDER = Path(__file__).parents[1] / "static"
KINDS = {"hub.css": "text/css; charset=utf-8", "mark.svg": "image/svg+xml; charset=utf-8"}


def asset(request: HttpRequest, name: str) -> HttpResponse:
    """A file by a name we know."""
    if name not in KINDS:
        return HttpResponseNotFound("no such file", content_type="text/plain; charset=utf-8")
    response = HttpResponse(_bytes(name), content_type=KINDS[name])
    response["Cache-Control"] = "public, max-age=3600"
    return response


@cache
def _bytes(name: str) -> bytes:
    return (FOLDER / name).read_bytes()
