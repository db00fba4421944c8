"""What a model may know of each block of a page: its words, its place, its containers and their likes, its neighbours; in numpy, block by block."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from signals.blocks import GROUPS, TAG_NUMBERS, Blocks, crc, name_words

MAX_BLOCK_CHARS = 4_000  # of a block that are looked at
SHORT_CHARS = 100  # of texts whose counts are remembered
N_BUCKETS = 1 << 14
N_HASHED_WORDS = 24  # of a block, from its beginning; long blocks say what they are by their length
N_LEVELS = 5  # containers above a block that are looked at
MIN_ITEMS = 3  # containers alike of at least so many words are items: posts, cards, entries
MIN_ITEM_WORDS = 12
LONG_BLOCK_WORDS = 25

_STOP_WORDS = frozenset(
    "the of and to a in is that it for you was with on as are this be at by i have from or not they we but his her an your my our can will "
    "if what there so all has more when do no which one would their out up about who get me been if "
    "der die das und ist von zu mit den nicht ein eine auf für le la les des et est un une que pour dans el los en y de del por".split()
)
_SENTENCE_END = re.compile(r"[.!?…](?:[\"'”’)\]]|\s|$)")
_DATE = re.compile(
    r"\b(?:19|20)\d\d\b|\b\d{1,2}[/.:]\d{1,2}\b|\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b|\bago\b|yesterday|today",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")
_FORUM_PATH = re.compile(r"/(?:t|topic|threads?|forums?|questions?|discussions?|comments|community)/|showthread|viewtopic")
_FORUM_GENERATOR = re.compile(r"discourse|phpbb|vbulletin|xenforo|flarum|nodebb|mybb|invision")
_DOCUMENTATION_PATH = re.compile(r"/(?:docs?|documentation|manual|reference|api|guide|learn)(?:/|$)")
_DOCUMENTATION_GENERATOR = re.compile(r"docusaurus|sphinx|mkdocs|gitbook|readme|vitepress|doxygen|hugo")


@dataclass(frozen=True, slots=True)
class WordWeights:
    """Weights of hashed words, shape (N_BUCKETS,) each: of the names of containers, and of the texts of blocks."""

    names: NDArray[np.float32]
    texts: NDArray[np.float32]


def block_features(blocks: Blocks, facts: dict[str, float], weights: WordWeights) -> dict[str, NDArray[np.float64]]:
    """What a model may know of every block: name of a column → its values, shape (n_blocks,).

    Args:
        facts: what the page says of itself, the same for all of its blocks (``page_facts``).
    """
    layout = _Layout.of(blocks)
    columns = _text_columns(blocks) | {"learned_text": _text_scores(blocks.texts, weights.texts)}
    columns["learned_name"], columns["learned_name_near"] = _name_scores(blocks, layout, weights.names)[:, layout.own]
    columns |= _place_columns(blocks, layout, columns)
    columns |= _group_columns(blocks, layout)
    columns |= _container_columns(layout, columns)
    columns |= _neighbour_columns(columns)
    columns |= {name: np.full(len(blocks.texts), value) for name, value in (facts | _page_sums(columns)).items()}
    return columns


def page_facts(tree: Any, url: str, json_ld_types: Sequence[str]) -> dict[str, float]:
    """What a page says of itself, as numbers: its address, its metadata."""
    parts = urlsplit(url)
    path = parts.path.lower()
    types = " ".join(json_ld_types)
    og_type = _meta(tree, "property", "og:type")
    generator = _meta(tree, "name", "generator")
    found = {
        "page_og_article": "article" in og_type,
        "page_og_website": "website" in og_type,
        "page_ld_article": re.search(r"Article|BlogPosting|Report", types),
        "page_ld_forum": re.search(r"Discussion|QAPage|Question", types),
        "page_ld_organization": re.search(r"Organization|LocalBusiness|Service|Product", types),
        "page_forum": _FORUM_PATH.search(path)
        or _FORUM_GENERATOR.search(generator)
        or re.search(r"^(?:forums?|community|discuss)\.", parts.netloc),
        "page_documentation": _DOCUMENTATION_PATH.search(path)
        or _DOCUMENTATION_GENERATOR.search(generator)
        or parts.netloc.startswith(("docs.", "doc.", "developer.")),
        "page_article": re.search(r"/(?:blog|news|newsroom|press|insights|stories|articles?|posts?)/.|/20\d\d/", path),
    }
    return {name: float(bool(value)) for name, value in found.items()} | {
        "page_path_depth": float(len([part for part in path.split("/") if part])),
        "page_slug_words": float(path.rstrip("/").rpartition("/")[2].count("-")),
    }


@dataclass(frozen=True, slots=True)
class _Layout:
    """The containers as arrays: of each block its own container, of each container its parent and the blocks it holds."""

    own: NDArray[np.int64]
    parents: NDArray[np.int64]
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]
    tags: NDArray[np.int64]
    depths: NDArray[np.int64]
    likes: NDArray[np.int64]  # number of the group of containers with the same signature

    @classmethod
    def of(cls, blocks: Blocks) -> _Layout:
        lists = (blocks.container, blocks.parents, blocks.begins, blocks.ends, blocks.tags, blocks.depths)
        _, likes = np.unique(np.array(blocks.signatures, np.int64), return_inverse=True)
        own, parents, begins, ends, tags, depths = (np.array(values, np.int64) for values in lists)
        return cls(own, parents, begins, ends, tags, depths, likes)

    def above(self, level: int) -> NDArray[np.int64]:
        """Of each block the container ``level`` steps above its own."""
        at = self.own
        for _ in range(level):
            at = self.parents[at]
        return at

    def nearest(self, wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Of each block the nearest container at or above its own that is wanted, or -1."""
        found = np.where(wanted, np.arange(len(self.parents)), -1).tolist()
        for i, parent in enumerate(self.parents.tolist()):
            if found[i] < 0:
                found[i] = found[parent]
        return np.array(found, np.int64)[self.own]

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of each container the sum over the blocks it holds."""
        return _sums_between(values, self.begins, self.ends)


def _text_columns(blocks: Blocks) -> dict[str, NDArray[np.float64]]:
    names = "n_chars n_words n_stops n_sentence_ends n_capitals n_digits n_commas n_dates ends_sentence".split()
    rows = [_counts_of_short(text) if len(text) <= SHORT_CHARS else _counts(text[:MAX_BLOCK_CHARS]) for text in blocks.texts]
    columns = dict(zip(names, np.array(rows, float).T.copy(), strict=True))
    n_chars, n_words = columns["n_chars"], np.maximum(1.0, columns["n_words"])
    columns["n_links"] = np.array(blocks.n_links, float)
    columns["n_link_chars"] = np.minimum(n_chars, np.array(blocks.link_chars))
    columns["link_share"] = columns["n_link_chars"] / n_chars
    columns["bold_share"] = np.minimum(1.0, np.array(blocks.bold_chars) / n_chars)
    columns["word_length"] = n_chars / n_words
    columns["stop_share"] = columns["n_stops"] / n_words
    columns["capital_share"] = columns["n_capitals"] / n_words
    columns["seen_before"], columns["seen"] = _repeats(blocks.texts)
    return columns


def _counts(text: str) -> tuple[int, ...]:
    tokens = text.split()
    return (
        len(text),
        len(tokens),
        sum(map(_STOP_WORDS.__contains__, tokens)),
        len(_SENTENCE_END.findall(text)),
        sum(token[0].isupper() for token in tokens),
        sum(map(str.isdigit, text[:200])),
        text.count(",") + text.count(";"),
        len(_DATE.findall(text[:300])),
        text[-1] in ".!?…",
    )


_counts_of_short = lru_cache(4_000)(_counts)  # menus and footers come back with every page of a site


def _text_scores(texts: Sequence[str], weights: NDArray[np.float32]) -> NDArray[np.float64]:
    places = [hashed_text(text) for text in texts]
    sizes = np.array([len(row) for row in places])
    ends = np.cumsum(sizes)
    scores = weights[np.array([place for row in places for place in row], np.int64)].astype(float)
    roots: NDArray[np.float64] = np.sqrt(sizes)
    return _sums_between(scores, ends - sizes, ends) / roots


def _name_scores(blocks: Blocks, layout: _Layout, weights: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of each container: the sum over it and all that hold it, and over it and the two next above it; shape (2, n_containers)."""
    known: dict[str, float] = {}
    own = []
    for name in blocks.names:
        if name not in known:
            known[name] = float(weights[hashed_name(name)].sum())
        own.append(known[name])
    path = own.copy()
    for i, parent in enumerate(blocks.parents):
        if i != parent:
            path[i] += path[parent]
    one = np.array(own)
    parents = layout.parents
    return np.stack([np.array(path), one + one[parents] + one[parents[parents]]])


def _place_columns(blocks: Blocks, layout: _Layout, columns: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    n_words = columns["n_words"]
    places = np.arange(len(n_words))
    before = np.cumsum(n_words) - n_words
    tags = layout.tags[layout.own]
    is_heading = np.isin(tags, [TAG_NUMBERS[f"h{i}"] for i in range(1, 7)])
    first_heading = np.flatnonzero(tags == TAG_NUMBERS["h1"])
    half = np.maximum(0, layout.nearest(layout.sums(n_words) >= 0.5 * n_words.sum()))
    return {
        "words_before": before / max(1.0, n_words.sum()),
        "words_left": n_words.sum() - before,
        "place": places / len(places),
        "depth": layout.depths[layout.own].astype(float),
        "depth_below_half": (layout.depths[layout.own] - layout.depths[half]).astype(float),
        "is_heading": is_heading.astype(float),
        "since_h1": places - (first_heading[0] if len(first_heading) else -1.0),
        "since_heading": (places - np.maximum.accumulate(np.where(is_heading, places, -1))).astype(float),
    } | {f"tag_{level}": layout.tags[layout.above(level)].astype(float) for level in range(3)}


def _group_columns(blocks: Blocks, layout: _Layout) -> dict[str, NDArray[np.float64]]:
    masks = np.array(blocks.masks, np.int64)
    everywhere = blocks.masks.copy()
    for i, parent in enumerate(blocks.parents):
        everywhere[i] |= everywhere[parent]
    above = np.array(everywhere, np.int64)[layout.own]
    near = np.array(blocks.inline_masks, np.int64)
    for level in range(3):
        near |= masks[layout.above(level)]
    columns = {f"in_{name}": (above >> bit & 1).astype(float) for bit, name in enumerate([*GROUPS, "not_shown"])}
    return columns | {f"near_{name}": (near >> bit & 1).astype(float) for bit, name in enumerate(GROUPS)}


def _container_columns(layout: _Layout, columns: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """What stands beside a block in the containers above it, and in their likes: the posts of a thread, the items of a listing."""
    found: dict[str, NDArray[np.float64]] = {}
    total = max(1.0, columns["n_words"].sum())
    n_words, n_chars, n_link_chars, n_stops, n_ends = (
        layout.sums(columns[name]) for name in ("n_words", "n_chars", "n_link_chars", "n_stops", "n_sentence_ends")
    )
    n_blocks = (layout.ends - layout.begins).astype(float)
    places = np.arange(len(layout.own))
    n_likes = np.bincount(layout.likes)[layout.likes].astype(float)
    like_words = np.bincount(layout.likes, n_words)[layout.likes] / n_likes
    like_links = (np.bincount(layout.likes, n_link_chars) / np.maximum(1.0, np.bincount(layout.likes, n_chars)))[layout.likes]
    for level in range(N_LEVELS):
        at = layout.above(level)
        found |= {
            f"words_{level}": n_words[at],
            f"share_{level}": n_words[at] / total,
            f"link_share_{level}": n_link_chars[at] / np.maximum(1.0, n_chars[at]),
            f"stop_share_{level}": n_stops[at] / np.maximum(1.0, n_words[at]),
            f"sentence_ends_{level}": n_ends[at],
            f"blocks_{level}": n_blocks[at],
            f"place_{level}": (places - layout.begins[at]) / np.maximum(1.0, n_blocks[at]),
            f"likes_{level}": n_likes[at],
            f"like_words_{level}": like_words[at],
            f"like_links_{level}": like_links[at],
        }
    item = layout.nearest((n_likes >= MIN_ITEMS) & (like_words >= MIN_ITEM_WORDS))
    values = {
        "items": n_likes,
        "item_words": like_words,
        "item_share": like_words * n_likes / total,
        "item_links": like_links,
        "item_number": _order_within(layout.likes),
    }
    found |= {name: np.where(item >= 0, column[item], -1.0) for name, column in values.items()}
    found["item_place"] = np.where(item >= 0, places - layout.begins[item], -1.0)
    found["item_word_share"] = np.where(item >= 0, columns["n_words"] / np.maximum(1.0, n_words[item]), -1.0)
    return found


def _neighbour_columns(columns: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    found: dict[str, NDArray[np.float64]] = {}
    for name in ("learned_name", "learned_text", "link_share", "n_words", "n_sentence_ends"):
        for step in (-2, -1, 1, 2):
            found[f"{name}@{step:+d}"] = _shifted(columns[name], step)
    names = ("learned_name", "learned_text", "link_share", "stop_share", "is_heading", "n_words", "n_sentence_ends")
    table = np.stack([columns[name] for name in names])
    for radius in (4, 12):
        means = _window_means(table, np.sqrt(columns["n_words"]), radius)
        found |= {f"{name}~{radius}": row for name, row in zip(names, means, strict=True)}
    return found


def _page_sums(columns: dict[str, NDArray[np.float64]]) -> dict[str, float]:
    n_words = columns["n_words"]
    total = max(1.0, float(n_words.sum()))
    sums = {name: float(columns[name].sum()) for name in ("n_sentence_ends", "n_dates", "is_heading")}
    shares = {
        name: float((n_words * columns[name]).sum() / total) for name in ("in_code", "in_post", "in_comment", "in_article", "in_main")
    }
    is_item, is_paragraph = (columns["tag_0"] == TAG_NUMBERS[tag] for tag in ("li", "p"))
    return {f"page_{name}": value for name, value in (sums | shares).items()} | {
        "page_words": total,
        "page_blocks": float(len(n_words)),
        "page_link_share": float(columns["n_link_chars"].sum() / columns["n_chars"].sum()),
        "page_stop_share": float(columns["n_stops"].sum() / total),
        "page_h1": float((columns["tag_0"] == TAG_NUMBERS["h1"]).sum()),
        "page_p_share": float(n_words[is_paragraph].sum() / total),
        "page_li_share": float(n_words[is_item].sum() / total),
        "page_long_share": float(n_words[n_words >= LONG_BLOCK_WORDS].sum() / total),
    }


def _meta(tree: Any, attribute: str, name: str) -> str:
    return " ".join((node.get("content") or "") for node in tree.iterfind(f".//meta[@{attribute}='{name}']")).lower()


def _sums_between(values: NDArray[np.float64], begins: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sums along the last axis over the places [begins, ends)."""
    sums: NDArray[np.float64] = np.zeros((*values.shape[:-1], values.shape[-1] + 1))
    np.cumsum(values, axis=-1, out=sums[..., 1:])
    return sums[..., ends] - sums[..., begins]


def _order_within(groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """How many of the same group stand before each.

    >>> _order_within(np.array([7, 3, 7, 7, 3])).tolist()
    [0.0, 0.0, 1.0, 2.0, 1.0]
    """
    order = np.argsort(groups, kind="stable")
    found = np.zeros(len(groups))
    found[order] = np.arange(len(groups)) - np.searchsorted(groups[order], groups[order], side="left")
    return found


def _repeats(texts: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How often each text stood before, and how often it stands in the page."""
    counts: dict[str, int] = {}
    before = []
    for text in texts:
        before.append(counts.get(text, 0))
        counts[text] = before[-1] + 1
    return np.array(before, float), np.array([counts[text] for text in texts], float)


def _shifted(values: NDArray[np.float64], step: int) -> NDArray[np.float64]:
    """The values ``step`` places on; -1 outside.

    >>> _shifted(np.array([1.0, 2.0, 3.0]), -1).tolist()
    [-1.0, 1.0, 2.0]
    """
    found = np.full(len(values), -1.0)
    if step > 0:
        found[:-step] = values[step:]
    else:
        found[-step:] = values[:step]
    return found


def _window_means(table: NDArray[np.float64], weights: NDArray[np.float64], radius: int) -> NDArray[np.float64]:
    """Of each row of a table the weighted mean over the columns up to ``radius`` places away, shape of the table."""
    places = np.arange(len(weights))
    begins, ends = np.maximum(0, places - radius), np.minimum(len(weights), places + radius + 1)
    return _sums_between(table * weights, begins, ends) / np.maximum(1e-9, _sums_between(weights, begins, ends))


@lru_cache(20_000)
def hashed_name(name: str) -> NDArray[np.int64]:
    """Distinct buckets of a container's tag and the words of its role, class and id."""
    return np.unique([crc(word) % N_BUCKETS for word in name_words(name)])


def hashed_text(text: str) -> tuple[int, ...]:
    """Buckets of the first words of a block and of its first pair of words; numbers are all alike."""
    return _hashed_opening(text[:200])


@lru_cache(4_000)
def _hashed_opening(opening: str) -> tuple[int, ...]:
    words = ["#" if word[0].isdigit() else word for word in _WORD.findall(opening.lower())[:N_HASHED_WORDS]]
    said = (*words, "^" + " ".join(words[:2]), f"{min(len(words), 12)}")
    return tuple(crc(word) % N_BUCKETS for word in said)
