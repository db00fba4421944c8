"""A backup brings everything back, and says what it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from bellwether.backup import back_up, put_back
from bellwether.config import load_config
from storage.errors import InputError
from storage.records import Partner
from storage.store import create_store, open_reader, open_writer


def test_a_backup_taken_beside_a_writer_restores_the_store_and_checks_the_archive(tmp_path: Path) -> None:
    (tmp_path / "bellwether.toml").write_text("")
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "one.warc.gz").write_bytes(b"one")
    (tmp_path / "archive" / "two.warc.gz").write_bytes(b"two")
    config = load_config(start=tmp_path)
    create_store(config.db)
    with open_writer(config.db, "test") as store:
        store.save([Partner("P1", "Tallow Street Systems")])
        list(back_up(config, tmp_path / "kept"))
    with pytest.raises(InputError, match="another folder"):
        list(back_up(config, tmp_path / "kept"))
    with pytest.raises(InputError, match="move it away"):
        list(put_back(config, tmp_path / "kept"))
    config.db.unlink()
    (tmp_path / "archive" / "two.warc.gz").write_bytes(b"tow")
    lines = list(put_back(config, tmp_path / "kept"))
    assert [line.split(":")[0] for line in lines if line.startswith("missing")] == [f"missing {tmp_path / 'archive' / 'two.warc.gz'}"]
    with open_reader(config.db) as store:
        assert store.value("SELECT partner_name FROM partners") == "Tallow Street Systems"
