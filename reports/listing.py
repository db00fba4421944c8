"""The accounts of the latest scoring run as the hub lists them: ranked, once for everyone and once per partner, with what they are filtered by.

Fit decides the cluster, and signals order the accounts inside it; equal signals are ordered by fit.

A page of the table is then a walk along one index, however many accounts there are and however many filters are set. Names are found by an index of
their trigrams.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from anyascii import anyascii

from reports.account_facts import latest_facts_of
from storage.catalogue import Catalogue, Cohort
from storage.records import ScoringRun
from storage.store import Store

EVERYONES = ""  # in ``whose``; else a partner's global id
SHORTEST_INDEXED = 3  # letters of a trigram
MOST_COHORTS = 62  # bits of a positive integer in SQLite


def save_listing(store: Store, catalogue: Catalogue, run: ScoringRun) -> int:
    """Lists a run's accounts anew, if it is the latest, after its cohorts are saved; returns how many rows there are."""
    latest = store.value("SELECT run_id FROM scoring_runs ORDER BY as_of DESC, rowid DESC LIMIT 1")
    if run.run_id != latest:
        return 0
    values = {"run": run.run_id, "as_of": run.as_of, "corporate": catalogue.segments.corporate_from}
    with store.transaction():
        for table in ("listed_accounts", "listed_counts", "listed_names", "listed_runs"):
            store.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
        store.execute("CREATE TEMP TABLE bits (cohort TEXT, value TEXT, bit INTEGER, PRIMARY KEY (cohort, value))")
        for (cohort, value), bit in cohort_bits(catalogue.cohorts).items():
            store.execute("INSERT INTO bits VALUES (?, ?, ?)", (cohort, value, bit))
        # Keyed: without their keys the joins below would go through the whole book for every row of it.
        store.execute("CREATE TEMP TABLE facts (account_id TEXT PRIMARY KEY, employees, industry, country, cohorts, n) WITHOUT ROWID")
        store.execute(_FACTS_SQL, values)
        store.execute_many("INSERT INTO listed_names VALUES (?, ?, ?)", _iter_names(store))
        store.execute("INSERT INTO listed_trigrams(listed_trigrams) VALUES ('rebuild')")
        store.execute("CREATE TEMP TABLE bought (account_id TEXT, partner TEXT, PRIMARY KEY (account_id, partner)) WITHOUT ROWID")
        store.execute("INSERT INTO bought " + _BOUGHT_SQL, values)
        for product in catalogue.products:
            store.execute(_EVERYONE_SQL, values | {"product": product.product_id})
            store.execute(_PARTNERS_SQL, {"product": product.product_id})
        store.execute(_COUNTS_SQL)
        for table in ("bits", "facts", "bought"):
            store.execute(f"DROP TABLE temp.{table}")
        store.execute("INSERT INTO listed_runs VALUES (?)", (run.run_id,))
    return int(store.value("SELECT count(*) FROM listed_accounts"))


def cohort_bits(cohorts: tuple[Cohort, ...]) -> Mapping[tuple[str, str], int]:
    """A bit for each cohort of the catalogue, by its column and value; the first 62 get one."""
    known = dict.fromkeys((cohort.column, cohort.value) for cohort in cohorts)
    return {key: 1 << i for i, key in enumerate(list(known)[:MOST_COHORTS])}


def searched(text: str) -> str:
    """A text as it is searched for and found, whatever its script, accents and case.

    >>> searched("Müller"), searched("ΔΕΗ Α.Ε.")
    ('muller', 'dei a.e.')
    """
    return anyascii(text).lower()


def _iter_names(store: Store) -> Iterator[tuple[int, str, str]]:
    rows = store.batches("SELECT n, account_id, account_name, domain FROM temp.facts JOIN accounts USING (account_id)", (), 10_000)
    for batch in rows:
        yield from ((n, account_id, f"{searched(name)}\n{searched(domain)}") for n, account_id, name, domain in batch)


_FACTS_SQL = f"""
    INSERT INTO facts
    SELECT a.account_id, p.employees, p.industry, p.country,
        coalesce((SELECT sum(bit) FROM cohort_members m JOIN bits USING (cohort, value) WHERE m.account_id = a.account_id AND m.run_id = :run), 0) AS cohorts,
        row_number() OVER (ORDER BY a.account_id)
    FROM accounts a {latest_facts_of("a", "p")}
    WHERE a.observed_on <= :as_of AND coalesce(p.employees, 0) < :corporate ORDER BY a.account_id
"""  # noqa: S608 - our own text
_BOUGHT_SQL = """
    SELECT account_id, partner_global_id AS partner FROM transactions WHERE partner_global_id IS NOT NULL AND transacted_on <= :as_of
    UNION SELECT account_id, partner_global_id FROM subscriptions WHERE partner_global_id IS NOT NULL AND started_on <= :as_of
"""
_EVERYONE_SQL = """
    INSERT INTO listed_accounts
    SELECT :product, '',
        row_number() OVER (ORDER BY instr('Act now Evaluate Nurture Educate Not scored', c.cluster), s.score DESC, f.score DESC, f.account_id),
        g.n, f.account_id, c.cluster, g.employees, g.industry, g.country,
        c.potential_revenue_high_usd, g.cohorts
    FROM fit_scores f CROSS JOIN temp.facts g USING (account_id) CROSS JOIN cluster_assignments c USING (run_id, account_id, product)
    CROSS JOIN signal_scores s USING (run_id, account_id, product)
    WHERE f.run_id = :run AND f.product = :product
"""
_PARTNERS_SQL = """
    INSERT INTO listed_accounts
    SELECT l.product, b.partner, l.rank, l.n, l.account_id, l.cluster, l.employees, l.industry, l.country, l.potential_high_usd, l.cohorts
    FROM listed_accounts l CROSS JOIN temp.bought b USING (account_id) WHERE l.product = :product AND l.whose = '' ORDER BY b.partner, l.rank
"""
_COUNTS_SQL = """
    INSERT INTO listed_counts SELECT product, whose, coalesce(industry, ''), coalesce(country, ''), cluster, count(*)
    FROM listed_accounts GROUP BY 1, 2, 3, 4, 5
"""
