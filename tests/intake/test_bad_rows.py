"""A large file with every kind of damage: each bad row is named with line, column and reason, and no good row is lost."""

from __future__ import annotations

import codecs
import csv
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from intake import import_file
from intake.importing import iter_rejects
from storage.errors import InputError
from storage.store import Store, create_store, open_writer

COLUMNS = tuple(
    "account_name domain customer_id tenant_id duns_number employees annual_revenue_usd country founded_year is_nonprofit crm_owner".split()
)
Fields = dict[str, str]


def _good(i: int) -> Fields:
    return {
        "account_name": f"Quarry {i} Kärnten, Ltd", "domain": f"quarry{i}.test", "customer_id": f"C{i}", "tenant_id": "", "duns_number": f"{i:09d}",
        "employees": str(i % 900), "annual_revenue_usd": "1,250,000.50", "country": "AT", "founded_year": "1987", "is_nonprofit": "no", "crm_owner": "Team A",
    }  # fmt: skip


# name → (damage, column the reject must name, words its reason must hold); a column of "" is the whole row.
DAMAGES: dict[str, tuple[Callable[[Fields], Fields | str], str, str]] = {
    "no domain": (lambda f: f | {"domain": ""}, "domain", "is empty"),
    "an address for a domain": (lambda f: f | {"domain": "ada@quarry.test"}, "domain", "e-mail address"),
    "an IP address": (lambda f: f | {"domain": "http://10.0.0.7/"}, "domain", "IP address"),
    "a public suffix": (lambda f: f | {"domain": "co.uk"}, "domain", "public suffix"),
    "a mail provider": (lambda f: f | {"domain": "gmail.com"}, "domain", "mail provider"),
    "two words": (lambda f: f | {"domain": "quarry and sons"}, "domain", "white space"),
    "a domain that stands above already": (lambda f: f | {"domain": "HTTPS://WWW.Quarry0.Test:443/about"}, "domain", "stands already in line 2"),
    "no name": (lambda f: f | {"account_name": " - "}, "account_name", "no letter or digit"),
    "employees in words": (lambda f: f | {"employees": "about forty"}, "employees", "not a number"),
    "a negative count": (lambda f: f | {"employees": "-4"}, "employees", "expected 0"),
    "half an employee": (lambda f: f | {"employees": "4.5"}, "employees", "whole number"),
    "infinite revenue": (lambda f: f | {"annual_revenue_usd": "1e99"}, "annual_revenue_usd", "not a number"),
    "an unknown country": (lambda f: f | {"country": "Atlantis"}, "country", "no country"),
    "a year to come": (lambda f: f | {"founded_year": "21986"}, "founded_year", "not a year"),
    "perhaps a charity": (lambda f: f | {"is_nonprofit": "perhaps"}, "is_nonprofit", "neither yes nor no"),
    "a short D-U-N-S number": (lambda f: f | {"duns_number": "12-345"}, "duns_number", "nine digits"),
    "a tenant that is none": (lambda f: f | {"tenant_id": "contoso"}, "tenant_id", "UUID"),
    "a column too few": (lambda f: ",".join(list(f.values())[:-1]).replace("Kärnten, Ltd", "Kärnten").replace("1,250,000.50", "1"), "", "has 10 columns"),
    "a column too many": (lambda f: ",".join([*f.values(), "extra"]).replace("Kärnten, Ltd", "Kärnten").replace("1,250,000.50", "1"), "", "has 12 columns"),
    "a quote that nothing closes": (lambda f: '"' + ",".join(f.values()).replace(", Ltd", "").replace("1,250,000.50", "1"), "", "quote"),
    "a huge field": (lambda f: f | {"crm_owner": "x" * 100_000}, "crm_owner", "100,000 characters"),
    "control characters": (lambda f: f | {"account_name": "Quarry\x00\x08"}, "account_name", "control characters"),
    "bytes of another encoding": (lambda f: f | {"account_name": "Quarry \udce4\udcf6"}, "account_name", "not valid in the file's encoding"),
}  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    create_store(tmp_path / "book.db")
    with open_writer(tmp_path / "book.db", "test") as opened:
        yield opened


def _line(fields: Fields | str) -> str:
    if isinstance(fields, str):
        return fields + "\r\n"
    return ",".join(f'"{value}"' if set(value) & set(",\n") else value for value in fields.values()) + "\r\n"


def test_a_thousand_bad_rows_in_ten_thousand(tmp_path: Path, store: Store) -> None:
    dice = random.Random(7)
    bad = dict(zip(sorted(dice.sample(range(1, 10_000), 1_000)), [list(DAMAGES)[i % len(DAMAGES)] for i in range(1_000)], strict=True))
    lines = [",".join(COLUMNS) + "\r\n"]
    lines += [_line(DAMAGES[bad[i]][0](_good(i)) if i in bad else _good(i)) for i in range(10_000)]
    path = tmp_path / "accounts.csv"
    path.write_bytes("".join(lines).encode("utf-8", "surrogateescape"))
    summary = import_file(store, "accounts", path, "2026-11-01")
    assert (summary.n_kept, summary.n_rejected) == (9_000, 1_000)
    assert store.value("SELECT count(*) FROM accounts") == 9_000
    rejects = {int(row["line"]): row for row in iter_rejects(tmp_path / "accounts.rejects.csv")}
    assert set(rejects) == {i + 2 for i in bad}
    for i, name in bad.items():
        _, column, words = DAMAGES[name]
        assert rejects[i + 2]["column"] == column, name
        assert words in rejects[i + 2]["reason"], name


def test_importing_the_same_file_again_changes_nothing(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "accounts.csv"
    path.write_text("".join([",".join(COLUMNS) + "\n", *(_line(_good(i)) for i in range(50))]), encoding="utf-8")
    import_file(store, "accounts", path, "2026-11-01")
    before = [list(store.query(f"SELECT * FROM {table} ORDER BY 1")) for table in ("accounts", "firmographics")]
    assert import_file(store, "accounts", path, "2026-11-01").n_records_new == 0
    assert [list(store.query(f"SELECT * FROM {table} ORDER BY 1")) for table in ("accounts", "firmographics")] == before


ACCENTED = [_good(i) | {"account_name": f"Möbel Grün {i}"} for i in range(5)]


@pytest.mark.parametrize(
    ("encoding", "mark", "delimiter"),
    [
        ("utf-8", b"", ","),
        ("utf-8", codecs.BOM_UTF8, ","),
        ("utf-8", codecs.BOM_UTF8, ";"),
        ("utf-16-le", codecs.BOM_UTF16_LE, "\t"),
        ("utf-16-be", codecs.BOM_UTF16_BE, ";"),
        ("cp1252", b"", ";"),
        ("utf-8", b"", "|"),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_every_usual_spelling_of_a_csv_file_is_read(
    tmp_path: Path, store: Store, encoding: str, mark: bytes, delimiter: str, line_end: str
) -> None:
    rows = [COLUMNS, *(list(row.values()) for row in ACCENTED)]
    text = line_end.join(delimiter.join(f'"{value}"' for value in row) for row in rows) + line_end
    path = tmp_path / "accounts.csv"
    path.write_bytes(mark + text.encode(encoding))
    assert import_file(store, "accounts", path, "2026-11-01").n_kept == 5
    assert store.value("SELECT account_name FROM accounts WHERE domain = 'quarry3.test'") == "Möbel Grün 3"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("HTTPS://www.Ashgrove.Test:8443/contact?x=1", "ashgrove.test"),
        ("Müller-Bau.test", "xn--mller-bau-q9a.test"),
        ("ashgrove.test.", "ashgrove.test"),
        ("//ashgrove.test/", "ashgrove.test"),
        ("shop.ashgrove.co.uk", "shop.ashgrove.co.uk"),
    ],
)
def test_a_domain_is_understood_however_it_is_written(tmp_path: Path, store: Store, written: str, kept: str) -> None:
    path = tmp_path / "accounts.csv"
    path.write_text(f"account_name,domain\nAshgrove,{written}\n", encoding="utf-8")
    import_file(store, "accounts", path, "2026-11-01")
    assert store.value("SELECT domain FROM accounts") == kept


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "is empty"), ("colour,shape\nred,round\n", "names none of our columns"), ("account_name\nAshgrove\n", "no column domain"),
     ("domain,account_name,domain\na.test,A,b.test\n", "the column domain twice")],
)  # fmt: skip
def test_a_file_that_cannot_be_read_at_all_says_why(tmp_path: Path, store: Store, text: str, message: str) -> None:
    (tmp_path / "accounts.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        import_file(store, "accounts", tmp_path / "accounts.csv", "2026-11-01")


def test_rejected_rows_cannot_run_as_formulas(tmp_path: Path, store: Store) -> None:
    (tmp_path / "accounts.csv").write_text('account_name,domain\n"=HYPERLINK(""http://evil"")",\n', encoding="utf-8")
    import_file(store, "accounts", tmp_path / "accounts.csv", "2026-11-01")
    with (tmp_path / "accounts.rejects.csv").open(encoding="utf-8", newline="") as file:
        assert [row["row"][0] for row in csv.DictReader(file)] == ["'"]


PURCHASES = {
    "subscriptions": (
        "product,sku,seats,started_on,ends_on",
        "M365,E3,12,2026-01-01,2026-12-31",
        "M365,E3,12,2026-01-01,2025-12-31",
        "ends_on",
    ),
    "transactions": ("product,amount_usd,transacted_on", "Azure,1200.50,2026-02-03", "Azure,12o0,2026-02-03", "amount_usd"),
    "opportunities": ("product,created_on,closed_on,outcome", "Azure,2026-01-01,2026-02-01,won", "Azure,2026-01-01,,won", "closed_on"),
}


@pytest.mark.parametrize("kind", list(PURCHASES))
def test_purchases_find_their_account_by_domain_or_customer_id(tmp_path: Path, store: Store, kind: str) -> None:
    header, good, bad, column = PURCHASES[kind]
    (tmp_path / "accounts.csv").write_text(
        "account_name,domain,customer_id\nAshgrove,ashgrove.test,C7\nBirch,birch.test,C8\n", encoding="utf-8"
    )
    import_file(store, "accounts", tmp_path / "accounts.csv", "2026-11-01")
    rows = [
        f"ashgrove.test,,{good}",
        f",C8,{good}",
        f"nowhere.test,,{good}",
        f",C99,{good}",
        f",,{good}",
        f"birch.test,C7,{good}",
        f"birch.test,,{bad}",
    ]
    (tmp_path / "rows.csv").write_text("\n".join([f"domain,customer_id,{header}", *rows]) + "\n", encoding="utf-8")
    summary = import_file(store, kind, tmp_path / "rows.csv", "2026-11-01")
    assert (summary.n_kept, summary.n_rejected) == (2, 5)
    assert [row["column"] for row in iter_rejects(tmp_path / "rows.rejects.csv")] == [
        "domain",
        "customer_id",
        "domain",
        "customer_id",
        column,
    ]
    assert import_file(store, kind, tmp_path / "rows.csv", "2026-11-01").n_records_new == 0


def test_two_equal_purchases_on_a_day_stay_two(tmp_path: Path, store: Store) -> None:
    (tmp_path / "accounts.csv").write_text("account_name,domain\nAshgrove,ashgrove.test\n", encoding="utf-8")
    import_file(store, "accounts", tmp_path / "accounts.csv", "2026-11-01")
    (tmp_path / "t.csv").write_text(
        "domain,product,amount_usd,transacted_on\n" + "ashgrove.test,Azure,10,2026-02-03\n" * 2, encoding="utf-8"
    )
    assert import_file(store, "transactions", tmp_path / "t.csv", "2026-11-01").n_records_new == 2
