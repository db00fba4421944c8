"""From a company's data to the pages of its site."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from html import escape
from string import Template

from examples.world.companies import FOLDER, Company, Job, Post

STYLES = ("classic", "static", "corporate", "plain")
_TEMPLATES = {style: Template((FOLDER / "templates" / f"{style}.html").read_text(encoding="utf-8")) for style in STYLES}
POSTS_PER_PAGE = 3
HTML, XML, TEXT = "text/html; charset=utf-8", "application/xml; charset=utf-8", "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a path answers."""

    content_type: str
    body: str


def build_site(company: Company) -> dict[str, Answer]:
    """Path → answer, for everything the site has."""
    site = {
        "/": Answer(HTML, _page(company, company.name, _home(company))),
        "/about": Answer(HTML, _page(company, f"About {company.name}", f"<h1>About us</h1>{_paragraphs(company.about)}")),
        "/privacy": Answer(HTML, _page(company, "Privacy", "<h1>Privacy</h1><p>We keep no visitor statistics on this site.</p>")),
        "/robots.txt": Answer(TEXT, f"User-agent: *\nDisallow: /search\nDisallow: /wp-admin/\n\nSitemap: {company.base_url}/sitemap.xml\n"),
        "/sitemap.xml": Answer(XML, _sitemap(company)),
    }
    for section in {company.blog, company.newsroom} - {""}:
        posts = [post for post in company.posts if company.post_path(post).startswith(f"/{section}/")]
        site.update(_listing_pages(company, section, posts))
    for post in company.posts:
        site[company.post_path(post)] = Answer(HTML, _post_page(company, post))
    if company.jobs:
        items = "".join(
            f'<li><a href="{company.job_path(job)}">{escape(job.title)}</a>, {escape(job.location)}</li>' for job in company.jobs
        )
        site["/careers/"] = Answer(HTML, _page(company, "Careers", f"<h1>Work at {escape(company.name)}</h1><ul>{items}</ul>"))
    for job in company.jobs:
        site[company.job_path(job)] = Answer(HTML, _job_page(company, job))
    if company.feed == "rss":
        site["/feed"] = Answer("application/rss+xml; charset=utf-8", _rss(company))
    elif company.feed == "atom":
        site["/atom.xml"] = Answer("application/atom+xml; charset=utf-8", _atom(company))
    return site


def _page(company: Company, title: str, main: str, head: str = "", style: str | None = None) -> str:
    links = _menu(company)
    if company.generator:
        head += f'\n<meta name="generator" content="{escape(company.generator)}">'
    if company.feed == "rss":
        head += f'\n<link rel="alternate" type="application/rss+xml" title="{escape(company.name)}" href="/feed">'
    elif company.feed == "atom":
        head += f'\n<link rel="alternate" type="application/atom+xml" title="{escape(company.name)}" href="/atom.xml">'
    return _TEMPLATES[style or STYLES[company.dice % 4]].substitute(
        title=escape(title),
        head=head,
        name=escape(company.name),
        legal_name=escape(company.legal_name),
        tagline=escape(company.tagline),
        city=escape(company.city),
        nav="".join(f'<li><a href="{path}">{text}</a></li>' for path, text in links),
        nav_inline=" ".join(f'<a href="{path}">{text}</a>' for path, text in links),
        main=main,
        related="".join(f'<li><a href="{company.post_path(post)}">{escape(post.title)}</a></li>' for post in company.posts[:3]),
    )


def _menu(company: Company) -> list[tuple[str, str]]:
    links = [("/", "Home"), ("/about", "About")]
    if company.newsroom:
        links.append((f"/{company.newsroom}/", "News"))
    if company.blog:
        links.append((f"/{company.blog}/", company.blog.title()))
    if company.jobs:
        links.append(("/careers/", "Careers"))
    return links


def _home(company: Company) -> str:
    teasers = "".join(
        f'<div class="teaser"><h3><a href="{company.post_path(post)}">{escape(post.title)}</a></h3><p>{escape(_teaser(post))}</p></div>'
        for post in company.posts[:2]
    )
    return f"<h1>{escape(company.tagline)}</h1>{_paragraphs(company.about)}<h2>Latest</h2>{teasers}"


def _listing_pages(company: Company, section: str, posts: list[Post]) -> dict[str, Answer]:
    answers = {}
    n_pages = max(1, -(-len(posts) // POSTS_PER_PAGE))
    for number in range(1, n_pages + 1):
        shown = posts[(number - 1) * POSTS_PER_PAGE : number * POSTS_PER_PAGE]
        items = "".join(
            f'<section><h2><a href="{company.post_path(post)}">{escape(post.title)}</a></h2><p>{_day(post.published)}</p>'
            f'<p>{escape(_teaser(post))} <a href="{company.post_path(post)}">Read more</a></p></section>'
            for post in shown
        )
        older = f'<p><a rel="next" href="/{section}/page/{number + 1}">Older entries</a></p>' if number < n_pages else ""
        path = f"/{section}/" if number == 1 else f"/{section}/page/{number}"
        answers[path] = Answer(HTML, _page(company, section.title(), f"<h1>{section.title()}</h1>{items}{older}"))
    return answers


def _post_page(company: Company, post: Post) -> str:
    style = STYLES[company.dice % 4]
    stamp = f"{post.published}T09:00:00+00:00"
    dated = f'<p class="meta">{_day(post.published)}</p>'
    head = ""
    if style == "classic":
        head = _json_ld(
            {
                "@type": "NewsArticle",
                "headline": post.title,
                "datePublished": stamp,
                "publisher": {"@type": "Organization", "name": company.name},
            }
        )
        dated = f'<p class="entry-meta">Posted on <time class="entry-date published" datetime="{stamp}">{_day(post.published)}</time></p>'
    elif style == "static":
        dated = f'<p><time datetime="{post.published}">{_day(post.published)}</time></p>'
    elif style == "corporate":
        head = (
            f'<meta property="og:type" content="article"/><meta property="og:title" content="{escape(post.title)}"/>'
            f'<meta property="article:published_time" content="{stamp}"/>'
        )
        dated = f'<p class="date">{_day(post.published)} | {"Press release" if post.section == "newsroom" else "Article"}</p>'
    return _page(company, post.title, f"<h1>{escape(post.title)}</h1>{dated}{_paragraphs(post.text)}", head)


def _job_page(company: Company, job: Job) -> str:
    place, _, country = job.location.rpartition(",")
    posting = {
        "@type": "JobPosting",
        "title": job.title,
        "description": _paragraphs(job.text),
        "datePosted": str(job.posted),
        "hiringOrganization": {"@type": "Organization", "name": company.name, "sameAs": company.base_url},
        "jobLocation": {
            "@type": "Place",
            "address": {"@type": "PostalAddress", "addressLocality": place.strip() or job.location, "addressCountry": country.strip()},
        },
    }
    body = f"<h1>{escape(job.title)}</h1><p>{escape(job.location)} · posted {_day(job.posted)}</p>{_paragraphs(job.text)}"
    return _page(company, f"{job.title} – {company.name}", body, _json_ld(posting))


def _json_ld(value: dict[str, object]) -> str:
    text = json.dumps({"@context": "https://schema.org", **value}, ensure_ascii=False).replace("</", "<\\/")
    return f'<script type="application/ld+json">{text}</script>'


def _rss(company: Company) -> str:
    items = "".join(
        f"<item><title>{escape(post.title)}</title><link>{company.base_url}{company.post_path(post)}</link>"
        f"<guid>{company.base_url}{company.post_path(post)}</guid><pubDate>{format_datetime(_morning(post.published))}</pubDate>"
        f"<description>{escape(_teaser(post))}</description></item>"
        for post in company.posts
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0"><channel><title>{escape(company.name)}</title>'
        f"<link>{company.base_url}/</link><description>{escape(company.tagline)}</description>{items}</channel></rss>"
    )


def _atom(company: Company) -> str:
    entries = "".join(
        f'<entry><title>{escape(post.title)}</title><link href="{company.base_url}{company.post_path(post)}"/>'
        f"<id>{company.base_url}{company.post_path(post)}</id><published>{post.published}T09:00:00Z</published>"
        f"<updated>{post.published}T09:00:00Z</updated><summary>{escape(_teaser(post))}</summary></entry>"
        for post in company.posts
    )
    newest = company.posts[0].published if company.posts else date(2026, 1, 1)
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom"><title>{escape(company.name)}</title>'
        f"<id>{company.base_url}/</id><updated>{newest}T09:00:00Z</updated>{entries}</feed>"
    )


def _sitemap(company: Company) -> str:
    pages = [(company.post_path(post), str(post.published)) for post in company.posts]
    pages += [("/", ""), ("/about", "")] + [(company.job_path(job), str(job.posted)) for job in company.jobs]
    urls = "".join(
        f"<url><loc>{company.base_url}{path}</loc>{f'<lastmod>{modified}</lastmod>' if modified else ''}</url>" for path, modified in pages
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{urls}</urlset>'


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{escape(' '.join(paragraph.split()))}</p>" for paragraph in text.split("\n\n") if paragraph.strip())


def _teaser(post: Post) -> str:
    words = post.text.split()
    return " ".join(words[:22]) + " …"


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _morning(day: date) -> datetime:
    return datetime.combine(day, time(9), UTC)
