"""The table of accounts, an account, and the archived page behind a reason."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from hub import audit
from hub.access import person, scoped
from reports.scope import AccountFilters, PartnerScope
from reports.writing import CLUSTER_ORDER

BANDS = ("High", "Medium", "Low", "Very low")
SIZES = ("Small", "Medium", "Upper Medium")
LAST_PAGE = 200


@require_GET
@scoped
def accounts(request: HttpRequest, scope: PartnerScope) -> HttpResponse:
    """The accounts of a product that pass the filters, strongest first."""
    run = scope.run()
    filters = _filters(request, scope)
    page = min(LAST_PAGE, max(1, int(request.GET["page"]))) if request.GET.get("page", "").isdecimal() else 1
    kept = {name: value for name, value in request.GET.items() if value and name != "page"}
    context = {
        "run": run, "filters": filters, "found": scope.accounts(run, filters, page), "page": page, "choices": scope.choices(run),
        "products": scope.catalogue.products, "clusters": CLUSTER_ORDER, "sizes": SIZES,
        "cohorts": [f"{cohort.column}: {cohort.value}" for cohort in scope.catalogue.cohorts],
        "before": urlencode(kept | {"page": page - 1}), "after": urlencode(kept | {"page": page + 1}), "n_filters": len(kept.keys() - {"product"}),
    }  # fmt: skip
    return render(request, "hub/accounts.html", context)


@require_GET
@scoped
def account(request: HttpRequest, scope: PartnerScope, account_id: str) -> HttpResponse:
    """Where an account stands for each product, why, and what happened there."""
    explanation = scope.explanation(account_id)
    if explanation is None:
        raise Http404
    timeline = scope.timeline(account_id)
    by_quote = {(row["quote"], row["url"]): row["document_id"] for row in timeline}
    products = [
        {"of": product, "rows": _matrix(scope, product.fit_band, product.signals_band),
         "events": [(event, by_quote.get((event.quote, event.url))) for event in product.events]}
        for product in explanation.products
    ]  # fmt: skip
    products.sort(key=lambda product: CLUSTER_ORDER.index(product["of"].cluster))  # type: ignore[attr-defined]
    context = {
        "account": explanation, "facts": scope.firmographics(account_id), "products": products, "bands": BANDS, "timeline": timeline,
        "plays": scope.cohorts(account_id),
    }  # fmt: skip
    return render(request, "hub/account.html", context)


@require_GET
@scoped
def archived_page(request: HttpRequest, scope: PartnerScope, account_id: str, document_id: str) -> HttpResponse:
    """What the page said when it was archived, with the quoted sentences marked."""
    document = scope.archived_text(account_id, document_id)
    if document is None:
        raise Http404
    quotes = [row for row in scope.timeline(account_id, 500) if row["document_id"] == document_id]
    audit.record(request, person(request).get_username(), "archived page", document_id)
    context = {"document": document, "account_id": account_id, "parts": _marked(document["text"], quotes), "quotes": quotes}
    return render(request, "hub/archived_page.html", context)


def _filters(request: HttpRequest, scope: PartnerScope) -> AccountFilters:
    chosen = {name: request.GET.get(name, "").strip()[:200] for name in ("cluster", "cohort", "size", "industry", "country", "text")}
    known = [product.product_id for product in scope.catalogue.products]
    product = request.GET.get("product", "")
    potential = request.GET.get("potential", "").strip()
    least = float(potential[:9]) if potential.isdecimal() else None
    return AccountFilters(product if product in known else known[0], min_potential_usd=least, **chosen)


def _matrix(scope: PartnerScope, fit_band: str | None, signals_band: str | None) -> list[tuple[str, list[tuple[str, str, str, bool]]]]:
    """Rows of ``(fit band, cells)``; a cell is (signals band, segment, cluster, whether the account stands there)."""
    cells = scope.catalogue.matrix.cells
    return [
        (fit, [(signals, *cells[fit][signals], fit == fit_band and signals == signals_band) for signals in BANDS]) for fit in BANDS
    ]  # fmt: skip


def _marked(text: str, quotes: list[dict[str, object]]) -> list[tuple[bool, str]]:
    """The text in parts, each with whether it is quoted.

    >>> _marked("We grow. We hire.", [{"quote_start": 9, "quote_end": 17}])
    [(False, 'We grow. '), (True, 'We hire.'), (False, '')]
    """
    spans = sorted({(int(str(row["quote_start"])), int(str(row["quote_end"]))) for row in quotes if int(str(row["quote_start"])) >= 0})
    parts, at = [], 0
    for start, end in spans:
        if start < at:
            continue
        parts += [(False, text[at:start]), (True, text[start:end])]
        at = end
    return [*parts, (False, text[at:])]
