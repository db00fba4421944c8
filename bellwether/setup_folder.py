"""``bellwether init``: what a new folder needs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bellwether.catalogue_file import DEFAULT_CATALOGUE
from bellwether.config import CONFIG_NAME, load_config
from storage.store import create_store

DEFAULT_CONFIG = Path(__file__).with_name("default_config.toml")
SCRAPY_CFG = "# lets `scrapy crawl domains` work in this folder\n[settings]\ndefault = bellwether.scrapy_settings\n"


def set_up(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Writes what is missing and leaves what is there; yields each path and whether it is new. An older store is brought up to date."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (
        (CONFIG_NAME, DEFAULT_CONFIG.read_text(encoding="utf-8")),
        ("catalogue.toml", DEFAULT_CATALOGUE.read_text(encoding="utf-8")),
        ("scrapy.cfg", SCRAPY_CFG),
    ):
        path = folder / name
        is_new = not path.exists()
        if is_new:
            path.write_text(text, encoding="utf-8")
        yield path, is_new
    config = load_config(start=folder)
    is_new = not config.db.exists()
    create_store(config.db)
    yield config.db, is_new
