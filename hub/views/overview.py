"""The overview for executives, and the solution plays for everyone."""

from __future__ import annotations

from datetime import date

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from hub.access import executives_only, is_executive, person, scoped
from reports.scope import PartnerScope
from reports.track_record import read_track_record
from reports.writing import CLUSTER_ORDER


def home(request: HttpRequest) -> HttpResponse:
    """The first page: the overview for executives, the accounts for all others."""
    if not request.user.is_authenticated:
        return redirect("/sign-in")
    return redirect("/overview" if is_executive(person(request)) else "/accounts")


@require_GET
@scoped
def overview(request: HttpRequest, scope: PartnerScope) -> HttpResponse:
    """Clusters per product, what moved, how much was looked at, and how well the model does."""
    return _overview(request, scope)


@executives_only
def _overview(request: HttpRequest, scope: PartnerScope) -> HttpResponse:
    run = scope.run()
    titles = {product.product_id: product.title for product in scope.catalogue.products}
    counts = [
        {"product": product, "title": titles[product], "total": sum(of.values()), "clusters": list(of.items())}
        for product, of in scope.cluster_counts(run).items()
    ]
    moved = [row | {"title": titles.get(row["product"], row["product"])} for row in scope.movements(run)]
    coverage = scope.coverage(run)
    context = {
        "run": run, "counts": counts, "clusters": CLUSTER_ORDER, "moved": moved, "coverage": coverage,
        "age_days": _days_between(coverage["latest"], run["as_of"]), "record": read_track_record(card) if (card := scope.model_card()) else None,
    }  # fmt: skip
    return render(request, "hub/overview.html", context)


@require_GET
@scoped
def plays(request: HttpRequest, scope: PartnerScope) -> HttpResponse:
    """Every solution play: whom it is for, how to engage, campaign links."""
    return render(request, "hub/plays.html", {"plays": scope.catalogue.cohorts})


def _days_between(latest: str | None, as_of: str) -> int | None:
    return (date.fromisoformat(as_of) - date.fromisoformat(latest[:10])).days if latest else None
