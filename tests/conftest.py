"""Shared by all tests: no network beyond this machine, and the folder of real corpora where there is one."""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


def _refuse_foreign_addresses(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "socket.connect":
        return
    address = arguments[1]
    if isinstance(address, tuple) and not ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback:
        raise PermissionError(f"a test tried to connect to {address[0]}; tests reach loopback only")


sys.addaudithook(_refuse_foreign_addresses)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real corpora; tests that need it are skipped where it is absent."""
    folder = os.environ.get("BELLWETHER_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("BELLWETHER_DATA names no folder of real corpora")
    return Path(folder)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The endpoint of an S3-compatible server with a bucket."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    for name, value in {
        "FSSPEC_S3_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    boto3.client("s3", endpoint_url=endpoint).create_bucket(Bucket="bellwether")
    import fsspec.config

    fsspec.config.set_conf_env(fsspec.config.conf)
    yield "s3://bellwether"
    server.stop()
