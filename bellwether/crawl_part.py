"""A crawl in a process of its own: configuration and kinds come in on standard input, counts go out on standard output."""

from __future__ import annotations

import pickle
import sys
from collections import Counter

from crawler.run import run_crawl

if __name__ == "__main__":
    config, kinds = pickle.load(sys.stdin.buffer)  # noqa: S301 - from our own worker
    counts: Counter[str] = Counter()
    for each in run_crawl(config, kinds, lambda kind, done, total: None).counts.values():
        counts.update(each)
    sys.stdout.buffer.write(pickle.dumps(dict(counts)))
