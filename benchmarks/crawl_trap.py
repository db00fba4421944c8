"""What an endless, dripping site costs the sites beside it: ``python -m benchmarks.crawl_trap [--rounds 3]``.

Twenty sites with twenty articles each are crawled with and without three traps beside them, in turn: calendars, paths that repeat, session ids and
"next" without end; one whose every page comes byte by byte; one of bombs. Told are the requests that the endless site got and how long it had
them, and how much longer the articles of the others took, by the server's log.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from storage.ids import content_key
from storage.records import Account
from storage.store import create_store, open_writer
from tests.crawler.bombs import DEEP_JSON_LD
from tests.crawler.loopback import Answer, Names, Web, page, text

N_SITES, N_PAGES, DELAY_S = 20, 20, 0.25
GOOD = [f"good{n}.test" for n in range(N_SITES)]
TRAPS = ["endless.test", "drip.test", "bomb.test"]


def answer(host: str, path: str, headers: Mapping[str, str]) -> Answer:
    """The sites."""
    if path == "/robots.txt":
        return text("")
    if host == "endless.test":
        return _endless(path)
    if host == "drip.test" and path.startswith("/news/"):
        return Answer(body=b"drip" * 1000, drip_s=0.2)
    if host == "bomb.test" and path.startswith("/news/x"):
        return Answer(body=DEEP_JSON_LD)
    if path == "/":
        return page("<html><a href='/news/'>News</a></html>")
    if path == "/news/":
        return page("".join(f"<a href='/news/x{n}'>Number {n}</a>" for n in range(N_PAGES)))
    return page(f"<html><p>{path} {'and so on ' * 400}</p></html>") if path.startswith("/news/") else Answer(404)


def _endless(path: str) -> Answer:
    number = int("".join(filter(str.isdigit, path))[-9:] or "0") + 1
    bare = path.partition("?")[0].rstrip("/")
    links = [f"/news/calendar?month={number}", f"{bare}/a/a", f"/news/page-{number}?PHPSESSID={number:x}", f"/news/{number}/deeper"]
    links += [f"/news/story-{number * factor}" for factor in range(1, 60)]
    anchors = "".join(f'<a href="{link}">News {link}</a>' for link in links)
    return page(f"<html><body>{anchors}<a rel='next' href='/news/?page={number}'>next</a></body></html>")


def crawl(domains: list[str]) -> Web:
    """A whole crawl of the domains; the server with its log."""
    web, names = Web(answer), Names(lambda name, kind: ["127.0.0.1"] if kind == "A" else [])
    port, closed = web.listen(), Web(answer)
    nowhere = closed.listen()
    closed.close()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        create_store(folder / "bellwether.db")
        with open_writer(folder / "bellwether.db", "benchmark") as store:
            store.save([Account(content_key("account", d), d, d, None, None, None, None, None, "2026-01-01") for d in domains])
        (folder / "bellwether.toml").write_text(
            f'[crawl]\nnameservers = ["127.0.0.1:{names.port}"]\nallow_nets = ["127.0.0.1/32"]\ndelay_s = {DELAY_S}\ntimeout_s = 10\nmax_failed_share = 1\n'
            f"[crawl.loopback_ports]\n80 = {port}\n443 = {nowhere}\n",
            encoding="utf-8",
        )
        for kind in ("domains", "feeds", "articles"):
            subprocess.run([sys.executable, "-m", "bellwether", "crawl", kind], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    names.close()
    web.close()
    return web


def busy_s(web: Web, hosts: list[str]) -> float:
    """Seconds from the first to the last request of the article pages of these hosts; starting and ending processes is no part of it."""
    moments = [asked.at for asked in web.log if asked.host in hosts and asked.path.startswith("/news/") and asked.path != "/news/"]
    return max(moments) - min(moments)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    ratios = []
    for number in range(1, parser.parse_args().rounds + 1):
        calm, disturbed = crawl(GOOD), crawl([*GOOD, *TRAPS])
        if len([asked for asked in disturbed.log if asked.host in GOOD]) != len(calm.log):
            raise SystemExit("the good sites were not read in full")
        alone, beside = busy_s(calm, GOOD), busy_s(disturbed, GOOD)
        ratios.append(beside / alone)
        log = sorted(asked.at for asked in disturbed.log if asked.host == "endless.test")
        cost = f"the endless site got {len(log)} requests, its articles over {busy_s(disturbed, ['endless.test']):.1f} s"
        print(f"round {number}: good sites {alone:.1f} s alone, {beside:.1f} s beside traps ({ratios[-1]:.3f}); {cost}", flush=True)
    print(f"median {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()
