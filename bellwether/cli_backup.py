"""The commands backup and restore: consistent copies of the databases, and a manifest of the archive."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bellwether.cli_options import Db

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The backup's folder.")]


def backup(folder: Folder, db: Db = None) -> None:
    """Copy the store and the hub's database, and write a manifest of the archive.

    Example: bellwether backup backups/2026-11-01
    """
    from bellwether.backup import back_up
    from bellwether.config import load_config

    for line in back_up(load_config(db), folder):
        typer.echo(line)


def restore(folder: Folder, db: Db = None) -> None:
    """Put a backup's databases where none are, and hold the archive against its manifest.

    Example: bellwether restore backups/2026-11-01
    """
    from bellwether.backup import put_back
    from bellwether.config import load_config

    n_missing = 0
    for line in put_back(load_config(db), folder):
        typer.echo(line)
        n_missing += line.startswith("missing")
    if n_missing:
        raise typer.Exit(1)
