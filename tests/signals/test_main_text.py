"""The shipped model chooses the blocks that a reader came for, on pages of kinds that it was not trained on."""

from __future__ import annotations

from pathlib import Path

import lxml.html
import numpy as np
import pytest

from sandbox import Sandbox, TaskFailure
from signals.blocks import read_blocks
from signals.documents import NoDocumentError, parse_response
from signals.main_text import MAIN_TEXT_FOLDER, BoostedTrees, MainTextReader, best_choice, description, without_title_and_date
from storage.archive import ArchivedResponse, ArchiveWriter
from storage.errors import ModelError

NAVIGATION = "".join(
    f'<li><a href="/{word}">{word.title()}</a></li>' for word in "products services industries careers contact imprint".split()
)
FOOTER = (
    '<footer class="site-footer"><div class="widget"><h4>Company</h4><ul><li><a href="/about">About us</a></li><li><a href="/jobs">Jobs</a></li>'
    '<li><a href="/privacy">Privacy policy</a></li></ul></div><p>© 2026 Kestrel Looms. All rights reserved.</p></footer>'
)
COOKIES = (
    '<div id="cookie-consent" class="cookie-banner modal"><p>We use cookies to give you the best experience on our site. By clicking accept you '
    "agree to their use.</p><button>Accept all</button><button>Settings</button></div>"
)
PARAGRAPHS = [
    "Kestrel Looms has moved the whole of its weaving into the old grain store beside the canal, a year after the roof of the first hall gave way.",
    "The new hall holds forty looms on two floors. Heat from the compressors warms the dye house, which used to burn oil for nine months of the year.",
    "“We lost a winter, but none of our weavers,” said the works manager, who joined the firm as an apprentice and has run it since 2019.",
    "Orders for upholstery wool have grown by a third since spring, most of them from makers of train seats in Austria and Denmark.",
]


def page(url: str, body: str, head: str = "") -> ArchivedResponse:
    html = (
        f"<html><head><title>Kestrel Looms</title>{head}</head><body><header class='site-header'><nav class='main-menu'><ul>{NAVIGATION}</ul>"
        f"</nav></header>{body}{FOOTER}</body></html>"
    )
    return ArchivedResponse(url, 200, (("Content-Type", "text/html; charset=utf-8"),), html.encode(), "2026-11-01T06:00:00Z")


def text_of(response: ArchivedResponse) -> str:
    return str(parse_response(response)["text"])


def test_an_article_comes_without_menu_cookie_notice_share_links_and_footer() -> None:
    body = f"""{COOKIES}<main><article><h1>Weaving moves into the grain store</h1>{"".join(f"<p>{text}</p>" for text in PARAGRAPHS)}
        <div class="share-links"><a href="#">Share on Facebook</a> <a href="#">Tweet this</a></div></article>
        <aside class="sidebar related-posts"><h3>Related posts</h3><ul><li><a href="/a">How we dye wool</a></li><li><a href="/b">Our
        apprentices of 2025</a></li><li><a href="/c">A visit to the flax growers</a></li></ul></aside></main>"""
    text = text_of(page("https://kestrel.test/news/weaving-moves-into-the-grain-store", body))
    assert [paragraph for paragraph in PARAGRAPHS if paragraph not in text] == []
    assert [words for words in ("cookies", "Share on Facebook", "Related posts", "Privacy policy", "Industries") if words in text] == []


def test_a_service_page_keeps_the_text_of_all_its_cards() -> None:
    cards = {
        "Repairs on site": "Our fitters come with the parts of every loom built since 1970 and have most of them running on the same day.",
        "Rebuilding": "We take worn machines apart, regrind shafts and cams, and give them controls for which spare parts can still be bought.",
        "Training": "Weavers and fitters learn in our hall, on the very machine they will work with, in groups of no more than four.",
        "Spare parts": "Eleven thousand parts lie in stock. What we no longer have, we mill after the drawing or after the broken piece.",
    }
    boxes = "".join(f"<div class='col card'><div class='icon'></div><h3>{name}</h3><p>{text}</p></div>" for name, text in cards.items())
    lead = "Looms run for fifty years when somebody looks after them. We keep the machines of ninety mills in seven countries at work."
    body = f"<section class='hero'><h1>Service for looms</h1><p>{lead}</p></section><section class='features'><div class='row'>{boxes}</div></section>"
    text = text_of(page("https://kestrel.test/services/looms", body))
    assert [part for part in (lead, *cards.values()) if part not in text] == []
    assert [words for words in ("All rights reserved", "Privacy policy", "Imprint") if words in text] == []


def test_a_thread_keeps_all_posts_and_drops_what_the_forum_says_around_them() -> None:
    posts = [
        "My shuttle loom throws the weft on every twentieth pick or so. I changed the picker and the strap already, and it made no difference.",
        "Look at the race board first. Mine had a burr that could not be seen, only felt with a fingernail, and it cost me a week.",
        "It was the race board! A strip of fine paper and ten minutes of work. Thank you so much, I would never have looked there.",
        "For those who find this later: check the swell spring as well. When it is tired, the shuttle bounces back out of the box.",
    ]
    people = ("weftwise", "old_heddle", "weftwise", "tappet44")
    items = "".join(
        f"""<article class="message message--post"><div class="message-user"><a class="username" href="/u/{n}">{name}</a><span
        class="userTitle">Member</span></div><div class="message-main"><ul class="message-attribution"><li><time>Mar {n + 3}, 2026</time></li>
        <li><a href="#p{n}">#{n + 1}</a></li></ul><div class="message-body">{post}</div><footer class="message-footer"><a class="actionBar-action"
        href="#">Reply</a><a href="#">Report</a></footer></div></article>"""
        for n, (name, post) in enumerate(zip(people, posts, strict=True))
    )
    body = f"<div class='p-body'><h1 class='p-title'>Shuttle flies out</h1><div class='block-body'>{items}</div><p>You must log in to reply here.</p></div>"
    text = text_of(page("https://forum.kestrel.test/threads/shuttle-flies-out.17/", body, "<meta name='generator' content='XenForo'>"))
    assert [post for post in posts if post not in text] == []
    assert [words for words in ("Report", "You must log in", "Privacy policy", "Industries") if words in text] == []


def test_a_listing_keeps_what_is_listed() -> None:
    entries = {
        "Wool from the dyke sheep": "Two growers on the coast deliver fleece that nobody wanted to spin for thirty years.",
        "Forty looms, one compressor": "How the works manager halved what the hall spends on air, with a stop watch and a notebook.",
        "What a weaver hears": "A day between the machines with a man who tells a worn cam by its sound.",
        "Colours of the canal": "The dye house has begun to sell cloth by the colour of the water on the day it was dyed.",
        "An apprentice's first bolt": "It has eleven faults and hangs in the canteen.",
    }
    items = "".join(
        f"<li class='entry-item'><h2><a href='/s/{n}'>{name}</a></h2><p>{text}</p></li>" for n, (name, text) in enumerate(entries.items())
    )
    text = text_of(page("https://kestrel.test/stories/", f"<main><h1>Stories</h1><ul class='entry-list'>{items}</ul></main>"))
    assert [part for part in entries.values() if part not in text] == []
    assert "All rights reserved" not in text


def test_a_page_that_waits_for_its_scripts_is_told_by_its_own_description() -> None:
    head = f"<meta property='og:description' content='{PARAGRAPHS[0]}'>"
    html = f"<html><head>{head}</head><body><div id='app'>Loading</div></body></html>"
    response = ArchivedResponse("https://kestrel.test/", 200, (("Content-Type", "text/html"),), html.encode(), "2026-11-01T06:00:00Z")
    assert text_of(response) == PARAGRAPHS[0]
    assert description(lxml.html.fromstring("<html><head></head><body>x</body></html>")) == ""


def test_title_and_date_are_not_repeated_at_the_opening_unless_there_is_nothing_else() -> None:
    long = " ".join(["word"] * 20)
    assert without_title_and_date(["Hall", "12 May 2026 | Press release", "In brief", long, "Hall", "12 May 2026"], {"Hall"}) == [
        "In brief", long, "Hall", "12 May 2026",
    ]  # fmt: skip
    assert without_title_and_date(["We open on 12 May 2026 in the old mill", long], set())[0].startswith("We open")
    assert without_title_and_date(["Hall", "12 May 2026"], {"Hall"}) == ["Hall", "12 May 2026"]


@pytest.mark.parametrize(
    "menu", ["", "<nav>Home, news, shop</nav>", "<nav><ul><li><a href='/'>Home</a></li><li><a href='/n'>News</a></li></ul></nav>"]
)
def test_another_menu_does_not_change_a_short_text(menu: str) -> None:
    html = f"<html><body>{menu}<article><h1>The grain store weaves</h1><p>{PARAGRAPHS[0]}</p></article></body></html>"
    response = ArchivedResponse("https://kestrel.test/news/1", 200, (("Content-Type", "text/html"),), html.encode(), "2026-11-01T06:00:00Z")
    assert text_of(response) == PARAGRAPHS[0]


def test_a_page_without_any_text_is_no_document() -> None:
    response = ArchivedResponse(
        "https://kestrel.test/", 200, (), b"<html><body><script>go()</script></body></html>", "2026-11-01T06:00:00Z"
    )
    with pytest.raises(NoDocumentError, match="no_text"):
        parse_response(response)


def test_blocks_are_split_at_block_tags_only_and_carry_what_is_linked() -> None:
    tree = lxml.html.document_fromstring(
        "<body><p>One <b>bold</b> and <a href='/'>linked</a><br>line</p>tail<div>  </div><ul><li>a<li>b</ul><script>no</script></body>"
    )
    blocks = read_blocks(tree)
    assert blocks.texts == ["One bold and linked\nline", "tail", "a", "b"]
    assert blocks.link_chars == [6, 0, 0, 0]
    assert blocks.bold_chars == [4, 0, 0, 0]
    assert [(blocks.begins[i], blocks.ends[i]) for i in (0, blocks.container[2])] == [(0, 4), (2, 3)]


def test_the_best_choice_is_the_best_of_all_choices() -> None:
    """Against every subset of eight blocks, by the same expectation."""
    generator = np.random.default_rng(5)
    for _ in range(50):
        p, w = generator.random(8), generator.integers(1, 40, 8).astype(float)
        subsets = np.array([[i >> bit & 1 for bit in range(8)] for i in range(1, 256)], bool)
        f1 = 2 * (subsets * (p * w)).sum(axis=1) / ((subsets * w).sum(axis=1) + (p * w).sum())
        chosen = best_choice(p, w)
        assert 2 * (p * w)[chosen].sum() / (w[chosen].sum() + (p * w).sum()) == pytest.approx(f1.max())


def test_trees_give_what_walking_them_by_hand_gives() -> None:
    arrays = {
        "roots": [0, 3],
        "features": [0, -1, -1, 1, -1, 0, -1, -1],
        "thresholds": [0.5, 0, 0, 2.0, 0, 0.25, 0, 0],
        "lefts": [1, 0, 0, 4, 0, 6, 0, 0],
        "rights": [2, 0, 0, 5, 0, 7, 0, 0],
        "values": [0, -1.0, 1.0, 0, 0.5, 0, 3.0, -3.0],
    }
    trees = BoostedTrees(
        {name: np.array(values, np.float32 if name in ("thresholds", "values") else np.int32) for name, values in arrays.items()}
    )
    rows = np.array([[0.5, 2.0], [0.6, 2.5], [0.2, 9.0]], np.float32)
    assert trees.probabilities(rows) == pytest.approx(1 / (1 + np.exp(-np.array([-0.5, -2.0, 2.0]))))


def test_a_changed_model_file_is_refused(tmp_path: Path) -> None:
    for name in ("manifest.json", "model.npz"):
        (tmp_path / name).write_bytes((MAIN_TEXT_FOLDER / name).read_bytes())
    MainTextReader(tmp_path)
    with (tmp_path / "model.npz").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ModelError, match="SHA-256"):
        MainTextReader(tmp_path)
    with pytest.raises(ModelError, match="no main text model"):
        MainTextReader(tmp_path / "nowhere")


BIG = {
    "cells": "<table>" + "<tr><td>cell</td></tr>" * 29_000 + "</table>",
    "one paragraph": "<p>" + "word " * 400_000 + "</p>",
    "classes": "".join(f"<div class='{' '.join(f'c{n}x{i}' for i in range(100))}'>block {n}</div>" for n in range(8_000)),
    "deep": "<div>" * 190 + "text" + "</div>" * 190,
    "breaks": "<p>" + "x<br>" * 55_000 + "</p>",
}


@pytest.mark.parametrize("kind", BIG)
def test_a_page_at_the_bounds_is_read_within_the_workers_memory_and_time(kind: str, tmp_path: Path) -> None:
    """What is just not too complex to be read: it must not kill the worker."""
    path = tmp_path / "pages.warc.gz"
    writer = ArchiveWriter(path)
    html = f"<html><body>{BIG[kind]}</body></html>".encode()
    place = writer.write("https://kestrel.test/", 200, (("Content-Type", "text/html"),), html, "2026-10-01T00:00:00Z")
    writer.close()
    with Sandbox(1, memory_mb=768, timeout_s=60) as sandbox:
        found = sandbox.run("signals.documents:extract_document", b"", warc_path=str(path), offset=place)
    assert not isinstance(found, TaskFailure), found
    assert found["text"]
