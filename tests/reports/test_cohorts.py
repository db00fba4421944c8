"""A cohort's rule can do nothing but read its view."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from bellwether.catalogue_file import DEFAULT_CATALOGUE, load_catalogue
from reports.account_facts import assign_cohorts, check_cohorts, view_columns
from storage.catalogue import Catalogue, Cohort
from storage.errors import ConfigError

HARMFUL = (
    "1); DROP TABLE account_facts; --",
    "1) UNION SELECT name FROM sqlite_schema WHERE (1",
    "account_id IN (SELECT name FROM sqlite_master)",
    "account_id IN (SELECT name FROM pragma_database_list)",
    "load_extension('x')",
    "EXISTS (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n)",
    "1); ATTACH 'other.db' AS other; --",
    "1); PRAGMA writable_schema = 1; --",
    "1); INSERT INTO account_facts(account_id) VALUES ('x'); --",
)


def _catalogue(predicate: str) -> Catalogue:
    cohort = Cohort("Play", "Yes", predicate, "profile", "engage", ("security",))
    return dataclasses.replace(load_catalogue(DEFAULT_CATALOGUE), cohorts=(cohort,))


@pytest.mark.parametrize("predicate", HARMFUL)
def test_a_rule_cannot_write_or_leave_its_view(predicate: str) -> None:
    with pytest.raises(ConfigError, match=r"cohort Play \(Yes\)"):
        check_cohorts(_catalogue(predicate))


def test_a_bad_rule_names_its_cohort_and_the_column_when_the_catalogue_is_read(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.toml"
    text = DEFAULT_CATALOGUE.read_text(encoding="utf-8")
    path.write_text(text.replace("has_m365 = 1 AND seats_m365 < 10", "has_m356 = 1"), encoding="utf-8")
    with pytest.raises(
        ConfigError, match=r"cohort SecureAIProductivity \(2 Upsell productivity\): no such column: has_m356.*catalogue.toml"
    ):
        load_catalogue(path)


def test_a_campaign_link_must_be_a_web_address(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.toml"
    text = DEFAULT_CATALOGUE.read_text(encoding="utf-8")
    path.write_text(
        text.replace('predicate = "has_m365 = 0"', 'predicate = "has_m365 = 0"\nlinks = ["javascript:alert(1)"]'), encoding="utf-8"
    )
    with pytest.raises(ConfigError, match="https://"):
        load_catalogue(path)


def test_the_first_rule_of_a_column_that_holds_gives_its_value() -> None:
    catalogue = load_catalogue(DEFAULT_CATALOGUE)
    nothing = dict.fromkeys(view_columns(catalogue), 0)
    facts = {
        "none": nothing | {"account_id": "none"},
        "few": nothing | {"account_id": "few", "has_m365": 1, "seats_m365": 4},
        "all": nothing | {"account_id": "all", "has_m365": 1, "seats_m365": 40, "has_security": 1, "ems_usage": 0.9},
    }
    plays = {account: values.get("SecureAIProductivity") for account, values in assign_cohorts(facts, catalogue.cohorts).items()}
    assert plays == {"none": "1 Migrate to cloud", "few": "2 Upsell productivity", "all": "5 Cross-sell next workload"}
