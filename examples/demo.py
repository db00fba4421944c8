"""The main job on the sample world, command by command: ``python -m examples.demo`` (``make demo``).

Serves the sample sites on loopback in a process of their own, then runs the commands an operator would run, in a fresh folder.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from examples.world.companies import TODAY
from reports.summary import load_strongest
from reports.writing import latest_run
from storage.store import open_reader

BOOK = Path(__file__).with_name("book")
KINDS = ("partners", "accounts", "subscriptions", "transactions", "opportunities")
REPORTS = ("agreement-renewal", "cloud-ai-platform", "ai-business-solutions", "security", "surface")
BOOK_KNOWN_SINCE = "2023-11-01"  # the sample's accounts count as known through the three years of its deals
N_STRONGEST = 5


@contextmanager
def served_world(folder: Path, log: Path | None = None) -> Iterator[dict[str, int]]:
    """The sample sites, served while the block runs: the ports of ``http``, ``https`` and ``dns`` on loopback.

    Args:
        log: gets a line for every request.
    """
    port_file = folder / "world-ports.json"
    options = ["--port-file", str(port_file.absolute()), *(["--log", str(log.absolute())] if log else [])]
    server = subprocess.Popen([sys.executable, "-m", "examples.world.server", *options], cwd=Path(__file__).parents[1])
    try:
        deadline = time.monotonic() + 30
        while not port_file.exists():
            if server.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(
                    "the sample world's server did not start; run `python -m examples.world.server --port-file ports.json` to see why"
                )
            time.sleep(0.05)
        yield json.loads(port_file.read_text(encoding="utf-8"))
    finally:
        server.terminate()
        server.wait(timeout=10)
        port_file.unlink(missing_ok=True)


def write_config(folder: Path, ports: dict[str, int]) -> None:
    """A bellwether.toml that finds the sample world and no other network."""
    (folder / "bellwether.toml").write_text(
        f"""# The sample world: names are resolved by its own server, and nothing beyond this machine is reached.
[crawl]
nameservers = ["127.0.0.1:{ports["dns"]}"]
allow_nets = ["127.0.0.0/8"]
delay_s = 0.05
timeout_s = 5
frozen_clock = "{TODAY}T06:00:00Z"

[crawl.loopback_ports]
80 = {ports["http"]}
443 = {ports["https"]}
""",
        encoding="utf-8",
    )


class Session:
    """Runs commands in the demo's folder and shows each as a person would type it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *arguments: str) -> None:
        """Runs ``bellwether ARGUMENTS``; ends the demo when it fails."""
        print(f"\n$ bellwether {' '.join(arguments)}", flush=True)
        done = subprocess.run([sys.executable, "-m", "bellwether", *arguments], cwd=self.folder, check=False)
        if done.returncode:
            raise SystemExit(f"`bellwether {' '.join(arguments)}` ended with exit status {done.returncode}")


def run_demo(folder: Path) -> None:
    """Accounts in, evidence-linked clusters out."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    session = Session(folder)
    session.run("init")
    for kind in KINDS:
        shutil.copy(BOOK / f"{kind}.csv", folder)
        session.run("import", kind, f"{kind}.csv", *(("--observed-on", BOOK_KNOWN_SINCE) if kind == "accounts" else ()))
    with served_world(folder) as ports:
        write_config(folder, ports)
        session.run("crawl")
    session.run("extract")
    session.run("score", "--as-of", str(TODAY))
    for name in REPORTS:
        session.run("report", name, "--out", f"reports/{name}.csv")
    session.run("summary", "--out", "reports/summary.html")
    session.run("validate", "--as-of", str(TODAY), "--out", "reports/model-card.html")
    show_strongest(session)
    print(
        f"\nReports:  {folder / 'reports'}/*.csv\nSummary:  {folder / 'reports' / 'summary.html'}\nTrack record: {folder / 'reports' / 'model-card.html'}"
    )
    print(f"Next:     cd {folder} && bellwether explain DOMAIN")


def show_strongest(session: Session) -> None:
    """The five strongest Act-now accounts with the sentences behind them."""
    with open_reader(session.folder / "bellwether.db") as store:
        strongest = load_strongest(store, latest_run(store)["run_id"], N_STRONGEST)
    print(f"\nThe {len(strongest)} strongest Act-now accounts:", flush=True)
    for row in strongest:
        session.run("explain", row["domain"], "--product", row["product"])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Runs the main job on the sample world.")
    parser.add_argument("folder", type=Path, nargs="?", default=Path("demo"), help="made anew at each run")
    run_demo(parser.parse_args().folder)


if __name__ == "__main__":
    main()
