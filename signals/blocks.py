"""The blocks of a page – paragraphs, headings, list items, cells – and the containers that hold them: one walk over the tree."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

MAX_BLOCKS = 20_000  # pages of more are tables of data; what comes after is left out
MAX_NAME_CHARS = 300  # of class and id that are read
_SKIPPED = frozenset(
    "script style template svg math iframe object canvas audio video select datalist textarea input img picture map head".split()
)
_INLINE = frozenset(
    "a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd label mark nobr q s samp small span strike strong sub sup time tt u var wbr".split()
)
TAGS = (
    "p li h1 h2 h3 h4 h5 h6 td th dt dd pre blockquote figcaption button summary caption address div section article noscript body".split()
)
TAG_NUMBERS = {tag: number for number, tag in enumerate(TAGS)}

# Kinds of containers, by words in tag, role, class and id. A block knows which of them hold it, anywhere above and close by.
GROUPS = {
    "nav": "nav navigation navbar menu menus submenu topnav megamenu navi",
    "footer": "footer foot colophon bottom",
    "header": "header masthead topbar banner head",
    "aside": "aside sidebar side rail widget widgets complementary secondary",
    "main": "main primary",
    "article": "article story entry blogpost",
    "content": "content contents contenu inhalt contentinfo body text richtext rte copy prose markdown md cms",
    "post": "post posts postbody postcontent topic topics thread threads message messages msg question answer answers discussion crawler",
    "comment": "comment comments disqus commentlist response responses",
    "author": "author authors byline avatar user users username userinfo profile member poster signature sig bio",
    "meta": "meta info date time timestamp datetime stats count counts views likes vote votes score metadata details",
    "related": "related recommended recommendations similar more popular trending latest recent also suggested suggestions read",
    "share": "share sharing social facebook twitter linkedin follow sns",
    "cookie": "cookie cookies consent gdpr onetrust privacy ccpa notice",
    "ad": "ad ads advert advertisement advertising sponsor sponsored promo promotion promoted banner",
    "modal": "modal popup overlay dialog lightbox drawer offcanvas tooltip dropdown toast",
    "hidden": "hidden hide invisible sr visually screenreader none collapse collapsed noprint",
    "crumb": "breadcrumb breadcrumbs crumbs crumb",
    "page": "pagination pager paging pages prev next previous",
    "tags": "tag tags category categories label labels badge chip pill",
    "form": "form login signin signup register search newsletter subscribe subscription input field",
    "card": "card cards tile tiles teaser grid item items box feature features",
    "hero": "hero jumbotron intro lead lede headline banner",
    "title": "title heading headline subtitle subheading h1 h2",
    "faq": "faq faqs accordion accordions collapse tab tabs tabpanel panel toggle",
    "list": "list listing results result feed archive index row rows table",
    "toc": "toc tableofcontents outline onthispage",
    "button": "button btn cta action actions toolbar tools controls link links",
    "quote": "quote quotes blockquote quoted testimonial testimonials review reviews",
    "code": "code highlight snippet pre codehilite syntax",
    "caption": "caption figcaption figure image img media gallery video photo slider carousel slide swiper",
    "legal": "legal copyright disclaimer terms policy footnote footnotes reference references reflist",
    "section": "section container wrapper wrap inner block module component region column col layout elementor",
}
_GROUP_OF: dict[str, int] = {}
for _number, _words in enumerate(GROUPS.values()):
    for _word in _words.split():
        _GROUP_OF[_word] = _GROUP_OF.get(_word, 0) | 1 << _number
N_GROUPS = len(GROUPS)
STATE_HIDDEN = 1 << N_GROUPS
_TAG_GROUPS = {
    "nav": "nav", "footer": "footer", "header": "header", "aside": "aside", "main": "main", "article": "article", "form": "form",
    "table": "list", "ul": "list", "ol": "list", "figure": "caption", "dialog": "modal", "blockquote": "quote", "pre": "code", "section": "section",
}  # fmt: skip
_CAMEL = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_BREAK = "\v"  # stands for <br> until the white space of the source is gone


@dataclass(slots=True)
class Blocks:
    """The blocks of a page in reading order, and the containers that hold them, a container before what it holds."""

    texts: list[str] = field(default_factory=list)
    link_chars: list[int] = field(default_factory=list)
    bold_chars: list[int] = field(default_factory=list)
    n_links: list[int] = field(default_factory=list)
    inline_masks: list[int] = field(default_factory=list)
    container: list[int] = field(default_factory=list)  # of each block
    parents: list[int] = field(default_factory=list)  # of each container; the root is its own parent
    depths: list[int] = field(default_factory=list)
    tags: list[int] = field(default_factory=list)
    masks: list[int] = field(default_factory=list)
    signatures: list[int] = field(default_factory=list)  # equal for containers with equal tags and classes all the way up
    names: list[str] = field(default_factory=list)  # tag, role, class and id
    begins: list[int] = field(default_factory=list)  # container i holds the blocks begins[i] to ends[i]
    ends: list[int] = field(default_factory=list)


def read_blocks(tree: Any) -> Blocks:
    """The blocks of a parsed page; the tree must not be nested deeper than Python's stack allows (documents.MAX_DEPTH)."""
    walk = _Walk()
    body = tree.find("body")
    walk.visit(tree if body is None else body, -1, False, False)
    return walk.blocks


class _Walk:
    def __init__(self) -> None:
        self.blocks = Blocks()
        self._parts: list[str] = []
        self._link_chars = self._bold_chars = self._n_links = self._inline_mask = 0

    def visit(self, node: Any, container: int, in_link: bool, is_bold: bool) -> None:
        tag = node.tag
        if tag in _SKIPPED:
            return
        if tag == "br":
            self._parts.append(_BREAK)
            return
        is_block = tag not in _INLINE
        if is_block:
            container = self._open(node, tag, container)
        else:
            if tag == "a":
                in_link = True
                self._n_links += 1
            elif tag in ("b", "strong"):
                is_bold = True
            if name := node.get("class"):
                self._inline_mask |= _mask_of(tag, "", name[:MAX_NAME_CHARS], "", False)
        if text := node.text:
            self._add(text, in_link, is_bold)
        for child in node:
            if isinstance(child.tag, str):
                self.visit(child, container, in_link, is_bold)
            if text := child.tail:
                self._add(text, in_link, is_bold)
        if is_block:
            self._flush(container)
            self.blocks.ends[container] = len(self.blocks.texts)

    def _open(self, node: Any, tag: str, parent: int) -> int:
        blocks = self.blocks
        self._flush(max(parent, 0))
        get = node.get
        name, role, key = get("class", "")[:MAX_NAME_CHARS], get("role", "")[:40], get("id", "")[:60]
        is_hidden = get("hidden") is not None or get("aria-hidden") == "true" or "display:none" in get("style", "")[:200].replace(" ", "")
        number = len(blocks.parents)
        above = blocks.signatures[parent] if number else 0
        blocks.parents.append(max(parent, 0))
        blocks.depths.append(blocks.depths[parent] + 1 if number else 0)
        blocks.tags.append(TAG_NUMBERS.get(tag, len(TAGS)))
        blocks.masks.append(_mask_of(tag, role, name, key, is_hidden))
        blocks.signatures.append((above * 1_000_003 + crc(tag + " " + name)) & 0x3FFFFFFFFFFF)
        blocks.names.append(f"{tag} {role} {name} {key}")
        blocks.begins.append(len(blocks.texts))
        blocks.ends.append(len(blocks.texts))
        return number

    def _add(self, text: str, in_link: bool, is_bold: bool) -> None:
        self._parts.append(text)
        if in_link:
            self._link_chars += len(text.strip())
        if is_bold:
            self._bold_chars += len(text.strip())

    def _flush(self, container: int) -> None:
        """Ends the block that is being gathered."""
        if not self._parts:
            return
        text = "".join(self._parts)
        blocks = self.blocks
        if not text.isspace() and len(blocks.texts) < MAX_BLOCKS:
            lines = (" ".join(line.split()) for line in text.split(_BREAK))
            blocks.texts.append("\n".join(line for line in lines if line))
            blocks.link_chars.append(self._link_chars)
            blocks.bold_chars.append(self._bold_chars)
            blocks.n_links.append(self._n_links)
            blocks.inline_masks.append(self._inline_mask)
            blocks.container.append(container)
        self._parts = []
        self._link_chars = self._bold_chars = self._n_links = self._inline_mask = 0


@lru_cache(20_000)
def _mask_of(tag: str, role: str, name: str, key: str, is_hidden: bool) -> int:
    """Bits of the groups that a tag with its role, class and id belongs to."""
    mask = STATE_HIDDEN if is_hidden else 0
    for word in {*name_words(f"{tag if tag in _TAG_GROUPS else ''} {role} {name} {key}"), _TAG_GROUPS.get(tag, "")}:
        mask |= _GROUP_OF.get(word, 0)
    return mask


def name_words(name: str) -> list[str]:
    """The words of a class or id.

    >>> name_words("postBody entry-content__main")
    ['post', 'body', 'entry', 'content', 'main']
    """
    return [word.lower() for word in _CAMEL.findall(name)]


@lru_cache(20_000)
def crc(text: str) -> int:
    """A number that stands for a text."""
    return zlib.crc32(text.encode("utf-8", "replace"))
