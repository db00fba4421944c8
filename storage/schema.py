"""The store's tables, as numbered migrations that only ever grow (sqlite-utils runs each in one transaction)."""

from __future__ import annotations

from sqlite_utils import Database, Migrations

migrations = Migrations("bellwether")


@migrations()
def m001_book_and_collection(db: Database) -> None:
    db.executescript("""
    CREATE TABLE accounts (
        account_id TEXT PRIMARY KEY, domain TEXT NOT NULL UNIQUE, account_name TEXT NOT NULL, customer_id TEXT, tenant_id TEXT,
        duns_number TEXT, partner_global_id TEXT, attributes TEXT, observed_on TEXT NOT NULL) STRICT;
    CREATE INDEX accounts_customer_id ON accounts(customer_id);
    CREATE TABLE firmographics (
        firmographics_id TEXT PRIMARY KEY, account_id TEXT NOT NULL REFERENCES accounts, source TEXT NOT NULL, observed_on TEXT NOT NULL,
        employees INTEGER, annual_revenue_usd REAL, industry TEXT, vertical TEXT, area TEXT, subsidiary TEXT, sales_territory TEXT,
        city TEXT, state TEXT, postal_code TEXT, country TEXT, founded_year INTEGER, is_nonprofit INTEGER) STRICT;
    CREATE INDEX firmographics_account ON firmographics(account_id, observed_on);
    CREATE TABLE partners (partner_global_id TEXT PRIMARY KEY, partner_name TEXT NOT NULL) STRICT;
    CREATE TABLE subscriptions (
        subscription_id TEXT PRIMARY KEY, account_id TEXT NOT NULL REFERENCES accounts, partner_global_id TEXT, product TEXT NOT NULL,
        sku TEXT, seats INTEGER, started_on TEXT NOT NULL, ends_on TEXT, status TEXT, agreement_id TEXT, license_program TEXT) STRICT;
    CREATE INDEX subscriptions_account ON subscriptions(account_id);
    CREATE TABLE transactions (
        transaction_id TEXT PRIMARY KEY, account_id TEXT NOT NULL REFERENCES accounts, partner_global_id TEXT, product TEXT NOT NULL,
        sku TEXT, amount_usd REAL NOT NULL, transacted_on TEXT NOT NULL, is_end_of_support INTEGER) STRICT;
    CREATE INDEX transactions_account ON transactions(account_id, transacted_on);
    CREATE TABLE opportunities (
        opportunity_id TEXT PRIMARY KEY, account_id TEXT NOT NULL REFERENCES accounts, partner_global_id TEXT, product TEXT NOT NULL,
        created_on TEXT NOT NULL, closed_on TEXT, outcome TEXT NOT NULL CHECK (outcome IN ('won','lost','open')), amount_usd REAL) STRICT;
    CREATE INDEX opportunities_account ON opportunities(account_id, created_on);
    CREATE TABLE domain_pings (
        ping_id TEXT PRIMARY KEY, account_id TEXT NOT NULL REFERENCES accounts, domain TEXT NOT NULL, pinged_at TEXT NOT NULL,
        state TEXT NOT NULL, http_status INTEGER, final_url TEXT, n_redirects INTEGER, latency_ms REAL, tls_issuer TEXT,
        tls_expires_on TEXT, addresses TEXT, nameservers TEXT, mail_exchangers TEXT, txt_records TEXT, server TEXT, generator TEXT,
        error TEXT) STRICT;
    CREATE INDEX domain_pings_account ON domain_pings(account_id, pinged_at);
    CREATE TABLE technology_observations (
        observation_id TEXT PRIMARY KEY, account_id TEXT NOT NULL REFERENCES accounts, technology TEXT NOT NULL, category TEXT NOT NULL,
        evidence TEXT NOT NULL, first_seen_on TEXT NOT NULL, last_seen_on TEXT NOT NULL) STRICT;
    CREATE TABLE sources (
        source_id TEXT PRIMARY KEY, account_id TEXT NOT NULL REFERENCES accounts, kind TEXT NOT NULL, url TEXT NOT NULL,
        found_on TEXT NOT NULL, first_seen_at TEXT NOT NULL, checked_at TEXT, etag TEXT, last_modified TEXT) STRICT;
    CREATE INDEX sources_account ON sources(account_id);
    CREATE TABLE pages (
        page_id TEXT PRIMARY KEY, account_id TEXT REFERENCES accounts, domain TEXT NOT NULL, url TEXT NOT NULL, kind TEXT NOT NULL,
        http_status INTEGER NOT NULL, content_type TEXT, content_hash TEXT NOT NULL, warc_file TEXT NOT NULL, warc_offset INTEGER NOT NULL,
        fetched_at TEXT NOT NULL, checked_at TEXT NOT NULL, published_hint TEXT, etag TEXT, last_modified TEXT) STRICT;
    CREATE INDEX pages_url ON pages(url);
    CREATE INDEX pages_account ON pages(account_id);
    CREATE TABLE documents (
        document_id TEXT PRIMARY KEY, page_id TEXT NOT NULL REFERENCES pages, account_id TEXT REFERENCES accounts, url TEXT NOT NULL,
        canonical_url TEXT, kind TEXT NOT NULL, title TEXT, text TEXT NOT NULL, language TEXT, published_on TEXT, published_source TEXT,
        observed_at TEXT NOT NULL, extractor_version TEXT NOT NULL) STRICT;
    CREATE INDEX documents_page ON documents(page_id);
    CREATE INDEX documents_account ON documents(account_id);
    CREATE TABLE signal_events (
        event_id TEXT PRIMARY KEY, account_id TEXT NOT NULL REFERENCES accounts, document_id TEXT NOT NULL REFERENCES documents,
        event_type TEXT NOT NULL, subtype TEXT, polarity INTEGER NOT NULL, status TEXT NOT NULL, role TEXT NOT NULL, stance TEXT NOT NULL,
        occurred_on TEXT NOT NULL, date_precision TEXT NOT NULL, date_source TEXT NOT NULL, observed_at TEXT NOT NULL, quote TEXT NOT NULL,
        quote_start INTEGER NOT NULL, quote_end INTEGER NOT NULL, confidence REAL NOT NULL, extractor_version TEXT NOT NULL,
        duplicate_of TEXT REFERENCES signal_events) STRICT;
    CREATE INDEX signal_events_account ON signal_events(account_id, occurred_on);
    CREATE INDEX signal_events_document ON signal_events(document_id);
    CREATE TABLE failures (
        failure_id TEXT PRIMARY KEY, stage TEXT NOT NULL, subject TEXT NOT NULL, account_id TEXT, reason TEXT NOT NULL,
        detail TEXT NOT NULL, failed_at TEXT NOT NULL) STRICT;
    CREATE INDEX failures_subject ON failures(subject);
    """)


@migrations()
def m002_scores(db: Database) -> None:
    db.executescript("""
    CREATE TABLE scoring_runs (
        run_id TEXT PRIMARY KEY, as_of TEXT NOT NULL, matrix TEXT NOT NULL, model_version TEXT NOT NULL, n_accounts INTEGER NOT NULL,
        catalogue_hash TEXT NOT NULL, code_version TEXT NOT NULL) STRICT;
    CREATE TABLE fit_scores (
        run_id TEXT NOT NULL REFERENCES scoring_runs, account_id TEXT NOT NULL REFERENCES accounts, product TEXT NOT NULL, score REAL,
        contributions TEXT NOT NULL, model_id TEXT, PRIMARY KEY (run_id, account_id, product)) STRICT;
    CREATE TABLE signal_scores (
        run_id TEXT NOT NULL REFERENCES scoring_runs, account_id TEXT NOT NULL REFERENCES accounts, product TEXT NOT NULL, score REAL,
        contributions TEXT NOT NULL, n_events INTEGER NOT NULL, PRIMARY KEY (run_id, account_id, product)) STRICT;
    CREATE TABLE cluster_assignments (
        run_id TEXT NOT NULL REFERENCES scoring_runs, account_id TEXT NOT NULL REFERENCES accounts, product TEXT NOT NULL, fit_band TEXT,
        signals_band TEXT, segment TEXT, cluster TEXT NOT NULL, potential_revenue_low_usd REAL, potential_revenue_high_usd REAL,
        PRIMARY KEY (run_id, account_id, product)) STRICT;
    CREATE TABLE model_versions (
        model_id TEXT PRIMARY KEY, kind TEXT NOT NULL, product TEXT NOT NULL, trained_as_of TEXT NOT NULL, n_positive INTEGER NOT NULL,
        n_other INTEGER NOT NULL, data_hash TEXT NOT NULL, metrics TEXT NOT NULL, parameters TEXT NOT NULL) STRICT;
    CREATE TABLE report_runs (
        report_id TEXT PRIMARY KEY, report TEXT NOT NULL, run_id TEXT NOT NULL REFERENCES scoring_runs, partner_global_id TEXT,
        file_format TEXT NOT NULL, n_rows INTEGER NOT NULL, sha256 TEXT NOT NULL) STRICT;
    CREATE TABLE blocked_domains (domain TEXT PRIMARY KEY, reason TEXT NOT NULL, blocked_on TEXT NOT NULL) STRICT;
    """)


@migrations()
def m003_frontier(db: Database) -> None:
    db.executescript("""
    CREATE TABLE frontier_urls (
        frontier_id TEXT PRIMARY KEY, account_id TEXT NOT NULL REFERENCES accounts, url TEXT NOT NULL, kind TEXT NOT NULL,
        published_hint TEXT, found_on TEXT NOT NULL, found_at TEXT NOT NULL, state TEXT NOT NULL, tried_at TEXT, n_tries INTEGER NOT NULL) STRICT;
    CREATE INDEX frontier_urls_due ON frontier_urls(state, account_id);
    """)


@migrations()
def m004_models(db: Database) -> None:
    db.executescript("""
    ALTER TABLE model_versions ADD COLUMN trained_from TEXT NOT NULL DEFAULT '';
    ALTER TABLE model_versions ADD COLUMN seed INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE model_versions ADD COLUMN verdict TEXT NOT NULL DEFAULT 'not_ready';
    CREATE TABLE model_releases (
        release_id TEXT PRIMARY KEY, kind TEXT NOT NULL, product TEXT NOT NULL, model_id TEXT REFERENCES model_versions, released_on TEXT NOT NULL,
        sequence INTEGER NOT NULL, reason TEXT NOT NULL) STRICT;
    CREATE INDEX model_releases_in_use ON model_releases(kind, product, released_on, sequence);
    CREATE TABLE feature_drift (
        run_id TEXT NOT NULL REFERENCES scoring_runs, product TEXT NOT NULL, feature TEXT NOT NULL, psi REAL NOT NULL,
        PRIMARY KEY (run_id, product, feature)) STRICT;
    CREATE TABLE cluster_movements (
        run_id TEXT NOT NULL REFERENCES scoring_runs, account_id TEXT NOT NULL REFERENCES accounts, product TEXT NOT NULL, from_segment TEXT,
        from_cluster TEXT NOT NULL, to_segment TEXT, to_cluster TEXT NOT NULL, cause TEXT NOT NULL,
        PRIMARY KEY (run_id, account_id, product)) STRICT;
    CREATE TABLE next_workloads (
        run_id TEXT NOT NULL REFERENCES scoring_runs, account_id TEXT NOT NULL REFERENCES accounts, product TEXT NOT NULL, share REAL NOT NULL,
        PRIMARY KEY (run_id, account_id, product)) STRICT;
    CREATE TABLE model_cards (card_id TEXT PRIMARY KEY, as_of TEXT NOT NULL, content TEXT NOT NULL) STRICT;
    """)


@migrations()
def m005_collection_in_depth(db: Database) -> None:
    db.executescript("""
    ALTER TABLE technology_observations ADD COLUMN version TEXT;
    ALTER TABLE technology_observations ADD COLUMN source TEXT NOT NULL DEFAULT '';
    ALTER TABLE technology_observations ADD COLUMN is_eventful INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE technology_observations ADD COLUMN is_baseline INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE technology_observations ADD COLUMN legacy TEXT;
    ALTER TABLE technology_observations ADD COLUMN n_misses INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE technology_observations ADD COLUMN retired_on TEXT;
    ALTER TABLE technology_observations ADD COLUMN first_page_id TEXT REFERENCES pages;
    ALTER TABLE technology_observations ADD COLUMN last_page_id TEXT REFERENCES pages;
    CREATE INDEX technology_observations_account ON technology_observations(account_id);
    ALTER TABLE sources ADD COLUMN revisit_hours REAL;
    ALTER TABLE sources ADD COLUMN content_hash TEXT;
    """)


@migrations()
def m006_scored_in_order(db: Database) -> None:
    # Scoring reads every event and transaction by account: from these indexes alone, in order, instead of hopping through the tables.
    db.executescript("""
    DROP INDEX signal_events_account;
    CREATE INDEX signal_events_account ON signal_events(
        account_id, occurred_on, event_id, event_type, confidence, observed_at, status, role, stance, duplicate_of);
    DROP INDEX transactions_account;
    CREATE INDEX transactions_account ON transactions(account_id, transacted_on, product, sku, amount_usd, is_end_of_support);
    """)


@migrations()
def m007_site_policies(db: Database) -> None:
    db.executescript("""
    CREATE TABLE site_policies (
        account_id TEXT PRIMARY KEY REFERENCES accounts, tdm_rules TEXT NOT NULL, ai_txt TEXT, read_at TEXT NOT NULL) STRICT;
    """)


@migrations()
def m008_hub(db: Database) -> None:
    # The hub lists accounts by score, by cohort and by partner, and reports walk the accounts by name: none of it should sort the whole book.
    db.executescript("""
    CREATE TABLE cohort_members (
        run_id TEXT NOT NULL REFERENCES scoring_runs, account_id TEXT NOT NULL REFERENCES accounts, cohort TEXT NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (run_id, cohort, account_id)) STRICT;
    CREATE INDEX cohort_members_account ON cohort_members(account_id);
    CREATE INDEX accounts_name ON accounts(account_name, domain);
    CREATE INDEX fit_scores_rank ON fit_scores(run_id, product, score DESC, account_id);
    CREATE INDEX transactions_partner ON transactions(partner_global_id, account_id, transacted_on);
    CREATE INDEX subscriptions_partner ON subscriptions(partner_global_id, account_id, started_on);
    """)


@migrations()
def m009_operations(db: Database) -> None:
    db.executescript("""
    CREATE TABLE job_runs (
        job_run_id TEXT PRIMARY KEY, job TEXT NOT NULL, started_at TEXT NOT NULL, ended_at TEXT, state TEXT NOT NULL, process INTEGER NOT NULL,
        figures TEXT NOT NULL, error TEXT) STRICT;
    CREATE INDEX job_runs_job ON job_runs(job, started_at);
    CREATE TABLE written_files (path TEXT PRIMARY KEY, sha256 TEXT NOT NULL, written_at TEXT NOT NULL) STRICT;
    """)


@migrations()
def m010_understood_in_depth(db: Database) -> None:
    # A text that an account has published before is told by its key; feedback speaks of events that a later extractor may make anew.
    db.executescript("""
    ALTER TABLE documents ADD COLUMN text_key TEXT;
    CREATE INDEX documents_text ON documents(account_id, text_key);
    ALTER TABLE signal_events ADD COLUMN details TEXT;
    CREATE TABLE event_feedback (
        feedback_id TEXT PRIMARY KEY, event_id TEXT NOT NULL, account_id TEXT NOT NULL REFERENCES accounts,
        verdict TEXT NOT NULL CHECK (verdict IN ('wrong','right')), reason TEXT, given_on TEXT NOT NULL, sequence INTEGER NOT NULL) STRICT;
    CREATE INDEX event_feedback_event ON event_feedback(event_id);
    """)


@migrations()
def m011_listed_accounts(db: Database) -> None:
    # What the hub's table of accounts is made of, for the latest scoring run; see reports/listing.py. ``rank`` is by fit score from the top.
    db.executescript("""
    CREATE TABLE listed_accounts (
        product TEXT NOT NULL, whose TEXT NOT NULL, rank INTEGER NOT NULL, account_id TEXT NOT NULL, cluster TEXT NOT NULL, employees INTEGER,
        industry TEXT, country TEXT, potential_high_usd REAL, cohorts INTEGER NOT NULL, PRIMARY KEY (product, whose, rank)) STRICT, WITHOUT ROWID;
    CREATE TABLE listed_counts (
        product TEXT NOT NULL, whose TEXT NOT NULL, industry TEXT NOT NULL, country TEXT NOT NULL, cluster TEXT NOT NULL, n_accounts INTEGER NOT NULL,
        PRIMARY KEY (product, whose, industry, country, cluster)) STRICT, WITHOUT ROWID;
    CREATE TABLE listed_runs (run_id TEXT PRIMARY KEY REFERENCES scoring_runs) STRICT;
    DROP INDEX accounts_name;
    CREATE INDEX accounts_name ON accounts(account_name, domain, account_id);
    """)


@migrations()
def m012_ingested_files(db: Database) -> None:
    db.executescript("""
    CREATE TABLE ingested_files (path TEXT PRIMARY KEY, next_offset INTEGER, n_bytes INTEGER NOT NULL) STRICT;
    """)


@migrations()
def m013_listed_names(db: Database) -> None:
    # Parts of names are searched in an index of their trigrams; ``n`` is an account's number in the listing. Scores are listed anew after this.
    db.executescript("""
    DROP TABLE listed_accounts;
    CREATE TABLE listed_accounts (
        product TEXT NOT NULL, whose TEXT NOT NULL, rank INTEGER NOT NULL, n INTEGER NOT NULL, account_id TEXT NOT NULL, cluster TEXT NOT NULL,
        employees INTEGER, industry TEXT, country TEXT, potential_high_usd REAL, cohorts INTEGER NOT NULL, PRIMARY KEY (product, whose, rank))
        STRICT, WITHOUT ROWID;
    CREATE INDEX listed_accounts_n ON listed_accounts(n, product) WHERE whose = '';
    CREATE TABLE listed_names (n INTEGER PRIMARY KEY, account_id TEXT NOT NULL, names TEXT NOT NULL) STRICT;
    CREATE VIRTUAL TABLE listed_trigrams USING fts5(names, content = 'listed_names', content_rowid = 'n', columnsize = 0, tokenize = 'trigram');
    DELETE FROM listed_counts;
    DELETE FROM listed_runs;
    """)


@migrations()
def m014_models_of_runs(db: Database) -> None:
    # Which models a run was made with is asked for every account that is explained: not by looking through the scores of all of them.
    db.executescript("""
    CREATE TABLE run_models (
        run_id TEXT NOT NULL REFERENCES scoring_runs, product TEXT NOT NULL, fit_model_id TEXT, weights_model_id TEXT,
        PRIMARY KEY (run_id, product)) STRICT;
    INSERT INTO run_models SELECT run_id, product, max(model_id), NULL FROM fit_scores GROUP BY 1, 2;
    ALTER TABLE feature_drift ADD COLUMN known_before REAL;
    ALTER TABLE feature_drift ADD COLUMN known_now REAL;
    """)


@migrations()
def m015_duplicates_of_events(db: Database) -> None:
    # Who is a duplicate of an event is asked for every event that a report shows, and by SQLite itself for every event that is removed.
    db.executescript("""
    CREATE INDEX signal_events_duplicates ON signal_events(duplicate_of) WHERE duplicate_of IS NOT NULL;
    """)
