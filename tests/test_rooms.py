"""Who may import whom: the table of docs/design, walked over the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("storage", "urls", "sandbox", "intake", "crawler", "signals", "scoring", "reports", "hub", "bellwether")
BENEATH = {"storage", "urls", "sandbox"}
MAY_IMPORT = {
    "storage": set(),
    "urls": set(),
    "sandbox": set(),
    "intake": BENEATH,
    "crawler": BENEATH,
    "signals": BENEATH,
    "scoring": BENEATH,
    "reports": BENEATH,
    "hub": BENEATH | {"reports"},
    "bellwether": set(ROOMS),
}
# Library → the only places that may import it.
ONLY_IN = {
    "scrapy": ("crawler/",),
    "sqlite_utils": ("storage/",),
    "sentence_transformers": ("signals/encoder.py",),
    "trafilatura": ("signals/extraction_evaluation.py",),
    "django": ("hub/",),
}


def _sources() -> list[Path]:
    return [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


def _imports(path: Path) -> Iterator[tuple[str, str, str | None]]:
    """Top-level package, imported module, and the name it is bound to, of every import in a file, also those inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.split(".")[0], alias.name, alias.asname
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield node.module.split(".")[0], f"{node.module}.{alias.name}", alias.asname


@pytest.mark.parametrize("path", _sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_what_lies_beneath_it(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0]
    for package, module, _ in _imports(path):
        assert package == room or package not in ROOMS or package in MAY_IMPORT[room], f"{path} imports {module}"


@pytest.mark.parametrize("path", _sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_library_is_imported_only_where_it_belongs(path: Path) -> None:
    place = str(path.relative_to(ROOT))
    for package, module, _ in _imports(path):
        allowed = ONLY_IN.get(package)
        assert allowed is None or place.startswith(allowed), f"{place} imports {module}; only {', '.join(allowed or ())} may"


def test_scrapys_signals_never_shadow_ours() -> None:
    for path in _sources():
        for _, module, bound_to in _imports(path):
            assert module != "scrapy.signals" or bound_to == "scrapy_signals", f"{path}: import scrapy's signals as scrapy_signals"
