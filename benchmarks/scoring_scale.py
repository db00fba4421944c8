"""Time and peak memory of scoring, beside the plain pandas and scikit-learn way: ``python -m benchmarks.scoring_scale [--accounts N …]``.

A synthetic book: 20 events, 6 transactions and 2 deals per account, six products. Each measured step runs in a process of its own, on one thread,
on the same store. ``--keep FOLDER`` writes the books once and finds them there the next time, so that steps can be measured on different days;
``--rounds N`` measures every size in turn, N times, and gives the ratio of the largest to the smallest book within each round: what else the machine
does then weighs on both alike.

- ours: what `bellwether score` computes of every account (features, fit, buying signals, bands, cells, revenue), in slices;
- pandas: the same numbers by ``read_sql``, ``merge``, ``groupby`` and a scikit-learn pipeline, the whole book at once, as one would in a notebook;
- score: the whole job with contributions of every score, written to the store;
- lake: the scored store written as a lake;
- show: the lake's run taken into an empty store, with its book, and listed for the hub.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from bellwether.catalogue_file import load_catalogue
from storage.ids import content_key
from storage.records import Account, Document, Firmographics, Opportunity, Page, SignalEvent, Transaction
from storage.store import Store, create_store, open_reader, open_writer

AS_OF = date(2026, 11, 1)
N_EVENTS, N_TRANSACTIONS, N_DEALS = 20, 6, 2
INDUSTRIES = ("Manufacturing", "Legal services", "Health care", "Retail", "Energy", "Software and IT services", "Education", "Logistics")
COUNTRIES = ("GB", "DE", "US", "FR", "NL", "SE")
PRODUCTS = (
    "Azure",
    "Microsoft 365 E3",
    "Microsoft 365 Copilot",
    "Dynamics 365 Business Central",
    "Surface Laptop",
    "Microsoft Defender",
    "Windows Server",
)
BATCH = 20_000
MAX_BYTES = 4 << 30
MAX_PANDAS_BYTES = 16 << 30


def write_book(path: Path, n_accounts: int, n_events: int = N_EVENTS) -> None:
    """The synthetic book in a new store."""
    create_store(path)
    types = sorted(name for name, days in load_catalogue(None).half_lives_days.items() if days > 0)
    days = [(AS_OF - timedelta(days=i)).isoformat() for i in range(1096)]
    with open_writer(path, job="benchmark") as store:
        store.execute_outside("PRAGMA foreign_keys = OFF")
        store.execute_outside("PRAGMA synchronous = OFF")
        ids = sorted(
            content_key("account", i) for i in range(n_accounts)
        )  # in the order of the indexes, which then only grow at their ends
        for start in range(0, n_accounts, BATCH):
            _write_batch(store, ids[start : start + BATCH], types, days, n_events, np.random.default_rng(start))


def _write_batch(store: Store, ids: list[str], types: list[str], days: list[str], n_events: int, dice: np.random.Generator) -> None:
    n = len(ids)
    size = dice.normal(4.3, 1.0, n)
    industry = dice.integers(len(INDUSTRIES), size=n)
    store.save_rows(Account, ((key, f"{key}.test", key, None, None, None, None, None, days[-1]) for key in ids))
    store.save_rows(
        Firmographics,
        (
            (
                content_key("f", key),
                key,
                "benchmark",
                days[-1],
                int(np.exp(s)),
                float(np.exp(s + 11.9)),
                INDUSTRIES[i],
                *[None] * 7,
                COUNTRIES[i % 6],
                1990,
                0,
            )
            for key, s, i in zip(ids, size.tolist(), industry.tolist(), strict=True)
        ),
    )
    seen = f"{AS_OF}T06:00:00Z"
    store.save_rows(
        Page,
        (
            (key, key, "x.test", f"https://{key}.test/", "home", 200, None, key, "a", 0, f"{days[-1]}T06:00:00Z", seen, None, None, None)
            for key in ids
        ),
    )
    store.save_rows(
        Document, ((key, key, key, f"https://{key}.test/", None, "article", None, "", "en", None, None, seen, "1", None) for key in ids)
    )
    of = np.repeat(np.arange(n), n_events)
    when, kind, confidence = (
        dice.integers(1, 1095, len(of)),
        dice.integers(len(types), size=len(of)),
        dice.uniform(0.4, 1, len(of)).round(3),
    )
    store.save_rows(
        SignalEvent,
        (
            (
                f"{ids[a][:10]}{j:06x}",
                ids[a],
                ids[a],
                types[k],
                None,
                1,
                "completed",
                "subject",
                "buyer",
                days[d],
                "day",
                "text",
                f"{days[d]}T06:00:00Z",
                "",
                0,
                0,
                c,
                "1",
                None,
                None,
            )
            for j, (a, k, d, c) in enumerate(zip(of.tolist(), kind.tolist(), when.tolist(), confidence.tolist(), strict=True))
        ),
    )
    of = np.repeat(np.arange(n), N_TRANSACTIONS)
    liking = (np.repeat(industry, N_TRANSACTIONS) + dice.integers(3, size=len(of))) % len(PRODUCTS)
    when, amount = dice.integers(1, 1095, len(of)), np.exp(np.repeat(size, N_TRANSACTIONS) + 3).round(2)
    store.save_rows(
        Transaction,
        (
            (f"{ids[a][:10]}{j:06x}", ids[a], None, PRODUCTS[p], None, m, days[d], 0)
            for j, (a, p, d, m) in enumerate(zip(of.tolist(), liking.tolist(), when.tolist(), amount.tolist(), strict=True))
        ),
    )
    of = np.repeat(np.arange(n), N_DEALS)
    which, when, is_won = dice.integers(6, size=len(of)), dice.integers(100, 1095, len(of)), dice.random(len(of)) < 0.4
    store.save_rows(
        Opportunity,
        (
            (f"{ids[a][:10]}{j:06x}", ids[a], None, PRODUCTS[p], days[d], days[d - 60], "won" if w else "lost", 100.0)
            for j, (a, p, d, w) in enumerate(zip(of.tolist(), which.tolist(), when.tolist(), is_won.tolist(), strict=True))
        ),
    )


def run_ours(path: Path) -> dict[str, Any]:
    """Every account's numbers by the engine, without writing."""
    from scoring.book import iter_spans, load_book
    from scoring.buying_signals import score_signals, strengths
    from scoring.fit_training import current_columns
    from scoring.logistic import one_thread
    from scoring.placing import Placing
    from scoring.potential import Likeness, PotentialRevenue, Spenders
    from scoring.product_models import load_models
    from scoring.run import SLICE_ACCOUNTS

    catalogue = load_catalogue(None)
    clusters: dict[str, int] = {}
    with open_reader(path) as store, one_thread():
        n_accounts = store.value("SELECT count(*) FROM accounts")
        placing = Placing(catalogue)
        models = {product.product_id: load_models(store, product, AS_OF) for product in catalogue.products}
        potentials: list[PotentialRevenue] = []
        for first, last in iter_spans(n_accounts, SLICE_ACCOUNTS):
            book = load_book(store, catalogue, AS_OF, first, last, needs_public=False)
            likeness = Likeness.of(book)
            known = strengths(book.events, catalogue.half_lives_days, AS_OF.toordinal())
            potentials = potentials or [PotentialRevenue(Spenders.of(book, 1 << i)) for i in range(len(catalogue.products))]
            for i, product in enumerate(catalogue.products):
                used = models[product.product_id]
                assert used.fit is not None
                fit, _, _ = used.fit.explain(current_columns(book, 1 << i))
                signals = score_signals(book.events, len(book), used.weights, catalogue.half_lives_days, AS_OF, known).scores
                _, names = placing.places(placing.bands(fit), placing.bands(signals))
                potentials[i].ranges(likeness)
                for name in names:
                    clusters[name] = clusters.get(name, 0) + 1
    return {"clusters": clusters}


def run_pandas(path: Path) -> dict[str, Any]:
    """The same numbers the plain way."""
    import sqlite3

    import pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    catalogue = load_catalogue(None)
    db = sqlite3.connect(path)
    day = pd.Timestamp(AS_OF)
    accounts = pd.read_sql(
        "SELECT a.account_id, employees, annual_revenue_usd, industry, country, founded_year FROM accounts a JOIN firmographics USING (account_id)",
        db,
    )
    bought = pd.read_sql("SELECT account_id, product, sku, amount_usd, transacted_on FROM transactions", db, parse_dates=["transacted_on"])
    deals = pd.read_sql(
        "SELECT account_id, product, outcome, closed_on FROM opportunities WHERE outcome != 'open'", db, parse_dates=["closed_on"]
    )
    events = pd.read_sql(
        "SELECT account_id, event_type, occurred_on, confidence FROM signal_events WHERE duplicate_of IS NULL AND role = 'subject'",
        db,
        parse_dates=["occurred_on"],
    )
    events["age"] = (day - events["occurred_on"]).dt.days.clip(lower=0)
    events["strength"] = events["confidence"] * 0.5 ** (events["age"] / events["event_type"].map(catalogue.half_lives_days))
    clusters: dict[str, int] = {}
    for product in catalogue.products:
        is_own = bought["product"].map({name: product.is_match(name, None) for name in bought["product"].unique()})
        others, own = bought[~is_own], bought[is_own]
        table = accounts.copy()
        grouped = others.groupby("account_id").agg(
            spend=("amount_usd", "sum"), first=("transacted_on", "min"), n_products=("product", "nunique")
        )
        table = table.merge(grouped, on="account_id", how="left")
        decided = deals[~deals["product"].map({name: product.is_match(name, None) for name in deals["product"].unique()})]
        won = decided.assign(won=decided["outcome"] == "won").groupby("account_id")["won"].mean().rename("won")
        table = table.merge(won, on="account_id", how="left")
        table["tenure"] = (day - table["first"]).dt.days.fillna(0)
        for name in ("employees", "annual_revenue_usd", "spend"):
            table[name] = np.log1p(table[name].fillna(0))
        numbers = ["employees", "annual_revenue_usd", "founded_year", "spend", "n_products", "tenure", "won"]
        table[numbers] = table[numbers].fillna(0)
        labels = table["account_id"].isin(set(own["account_id"]))
        encode = ColumnTransformer(
            [("n", StandardScaler(), numbers), ("c", OneHotEncoder(handle_unknown="ignore"), ["industry", "country"])]
        )
        model = make_pipeline(encode, LogisticRegression(max_iter=200, class_weight="balanced"))
        sample = table.sample(min(len(table), 50_000), random_state=0)  # the engine learns from as many
        model.fit(sample, labels[sample.index])
        table["fit"] = pd.Series(model.decision_function(table)).rank(pct=True) * 100
        sums = (events["strength"] * events["event_type"].map(product.weights)).groupby(events["account_id"]).sum().rename("s")
        table = table.merge(sums, on="account_id", how="left")
        table["signals"] = 100 * (1 - np.exp(-table["s"].fillna(0).clip(lower=0) / 3))
        bands = [-1, catalogue.bands.low, catalogue.bands.medium, catalogue.bands.high, 101]
        for name in ("fit", "signals"):
            table[f"{name}_band"] = pd.cut(table[name], bands, labels=["Very low", "Low", "Medium", "High"], right=False)
        cells = table.groupby(["fit_band", "signals_band"], observed=False).size()
        for (fit_band, signals_band), n in cells.items():
            name = catalogue.matrix.cells[fit_band][signals_band][1]
            clusters[name] = clusters.get(name, 0) + int(n)
        yearly = own.groupby("account_id")["amount_usd"].sum() / 3
        table.merge(yearly.rename("yearly"), on="account_id").groupby("industry")["yearly"].quantile([0.25, 0.75])
    return {"clusters": clusters}


def run_learn(path: Path) -> dict[str, Any]:
    """Learning, so that the other steps have models."""
    from scoring.learning import learn_models

    with open_writer(path, job="benchmark") as store:
        learned = learn_models(store, load_catalogue(None), AS_OF, 1)
    return {"verdicts": [f"{each.kind} {each.product} {each.verdict}" for each in learned]}


def run_score(path: Path) -> dict[str, Any]:
    """The whole job, written."""
    from scoring.run import score_book

    with open_writer(path, job="benchmark") as store:
        run = score_book(store, load_catalogue(None), AS_OF, 1)
    return {"run": run.run_id}


def run_lake(path: Path) -> dict[str, Any]:
    """The store as a lake beside it."""
    from storage.lake import write_lake

    with open_reader(path) as store:
        return write_lake(store, str(path.with_suffix(".lake")))


def run_show(path: Path) -> dict[str, Any]:
    """The lake's run in an empty store, listed for the hub."""
    from reports.account_facts import save_cohorts
    from reports.listing import save_listing
    from storage.lake_reading import find_run, load_run

    lake, shown, catalogue = str(path.with_suffix(".lake")), path.with_suffix(".shown.db"), load_catalogue(None)
    shown.unlink(missing_ok=True)
    create_store(shown)
    run = find_run(lake)
    with open_writer(shown, job="benchmark") as store, store.transaction():
        load_run(store, lake, run, with_book=True)
        save_cohorts(store, catalogue, run)
        return {"listed": save_listing(store, catalogue, run)}


REPEATED = ("ours", "pandas")  # what writes would find its own rows the second time
STEPS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "learn": run_learn, "ours": run_ours, "pandas": run_pandas, "score": run_score, "lake": run_lake, "show": run_show,
}  # fmt: skip


def measure(step: str, path: Path) -> dict[str, Any]:
    """Seconds and peak megabytes of a step in a process of its own, which may have 4 GiB of memory and no more; pandas may have 16."""
    limit = MAX_PANDAS_BYTES if step == "pandas" else MAX_BYTES
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.scoring_scale", "--step", step, "--store", str(path)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)),
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="where the books are written and found again; else they are thrown away"
    )
    parser.add_argument("--steps", nargs="+", default=list(STEPS), choices=list(STEPS))
    parser.add_argument("--step", choices=list(STEPS))
    parser.add_argument("--store", type=Path)
    arguments = parser.parse_args()
    if arguments.step:
        started, cpu = time.perf_counter(), time.process_time()
        found = STEPS[arguments.step](arguments.store)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(found | {"seconds": time.perf_counter() - started, "cpu_s": time.process_time() - cpu, "peak_mib": peak}))
        return
    with tempfile.TemporaryDirectory() as scratch:
        compare(arguments.keep or Path(scratch), sorted(arguments.accounts), arguments.steps, arguments.rounds)


def compare(folder: Path, sizes: Sequence[int], steps: Sequence[str], n_rounds: int) -> None:
    """Prints what each step costs at each size, and how many times the smallest book the largest costs."""
    paths = {n_accounts: ready_book(folder, n_accounts) for n_accounts in sizes}
    print(f"{'round':>5} {'accounts':>9} {'events':>10} {'step':8} {'seconds':>8} {'cpu s':>8} {'peak MiB':>9}", flush=True)
    for n in range(1, n_rounds + 1):
        for step in steps if n == 1 else [step for step in steps if step in REPEATED]:
            costs = []
            for n_accounts, path in paths.items():
                try:
                    found = measure(step, path)
                except subprocess.CalledProcessError as error:
                    print(
                        f"{n:5} {n_accounts:9,} {n_accounts * N_EVENTS:10,} {step:8} failed, see above (exit {error.returncode}); its memory is limited"
                    )
                    continue
                costs.append(found["cpu_s"])
                print(
                    f"{n:5} {n_accounts:9,} {n_accounts * N_EVENTS:10,} {step:8} {found['seconds']:8.1f} {found['cpu_s']:8.1f} {found['peak_mib']:9.0f}",
                    flush=True,
                )
            if len(costs) == len(sizes) > 1:
                print(f"      {sizes[-1] / sizes[0]:g} × the accounts, {step}: {costs[-1] / costs[0]:.1f} × the CPU seconds", flush=True)


def ready_book(folder: Path, n_accounts: int) -> Path:
    """The store of a book of that size, written unless the folder holds it whole already."""
    path, unfinished = folder / f"book-{n_accounts}.db", folder / f"book-{n_accounts}.unfinished.db"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished.unlink(missing_ok=True)
        started = time.perf_counter()
        write_book(unfinished, n_accounts)
        unfinished.rename(path)
        print(
            f"wrote a book of {n_accounts:,} accounts in {time.perf_counter() - started:.0f} s, {path.stat().st_size >> 20:,} MiB",
            flush=True,
        )
    return path


if __name__ == "__main__":
    main()
