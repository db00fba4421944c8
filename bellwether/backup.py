"""Backup and restore: databases as consistent copies, the archive by a manifest, because its files are only ever added."""

from __future__ import annotations

import csv
import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from bellwether.config import Config
from storage.errors import InputError
from storage.store import copy_database

MANIFEST = "archive-manifest.csv"
HUB = "hub.db"


def back_up(config: Config, folder: Path) -> Iterator[str]:
    """Writes the copies; a line for each thing done. The manifest comes last: what has none was cut short, and is written again.

    Raises:
        InputError: there is a backup in the folder already.
    """
    if (folder / MANIFEST).exists():
        raise InputError(f"{folder} holds a backup already; name another folder")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for source in (config.db, config.db.with_name(HUB)):
        if source.exists():
            part = folder / f"{source.name}.part"
            part.unlink(missing_ok=True)
            copy_database(source, part)
            part.chmod(0o600)
            part.replace(folder / source.name)
            yield f"copied  {source} to {folder / source.name}"
    files = sorted(config.archive.glob("*.warc*"))
    part = folder / f"{MANIFEST}.part"
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "n_bytes", "sha256"])
        for path in files:
            writer.writerow([path.name, path.stat().st_size, _digest(path, path.stat().st_size)])
    part.replace(folder / MANIFEST)
    yield f"listed  {len(files)} archive files in {folder / MANIFEST}"


def put_back(config: Config, folder: Path) -> Iterator[str]:
    """Puts the copies back and checks the archive; a line for each thing done, beginning with ``missing`` for what is not as it was.

    Raises:
        InputError: no backup there, or a store where it would go.
    """
    if not (folder / config.db.name).is_file():
        raise InputError(f"no backup of {config.db.name} in {folder}")
    if not (folder / MANIFEST).is_file():
        raise InputError(f"the backup in {folder} was cut short: it has no {MANIFEST}; restore another")
    if config.db.exists():
        raise InputError(f"{config.db} exists; move it away first, so that nothing is overwritten")
    for name in (config.db.name, HUB):
        target = config.db.with_name(name)
        if (folder / name).exists() and not target.exists():
            shutil.copy2(folder / name, target)
            yield f"restored {target}"
    with (folder / MANIFEST).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            path = config.archive / row["file"]
            if not path.is_file() or _digest(path, int(row["n_bytes"])) != row["sha256"]:
                yield f"missing {path}: copy it from where you keep the archive"


def _digest(path: Path, n_bytes: int) -> str:
    """The hash of a file's first bytes: a file that is still being written only grows."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while n_bytes > 0 and (block := file.read(min(n_bytes, 1 << 20))):
            digest.update(block)
            n_bytes -= len(block)
    return digest.hexdigest()
