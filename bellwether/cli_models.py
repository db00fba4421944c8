"""``bellwether learn``, ``validate`` and ``models …``: models that are learned, judged, and can be taken back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bellwether.cli_options import AsOf, Db, Json, fail_usage, parse_as_of

models = typer.Typer(help="The registry of fit and signal models.", no_args_is_help=True, rich_markup_mode=None)


def learn(as_of: AsOf = "", db: Db = None, as_json: Json = False) -> None:
    """Refit the models from deals, transactions and subscriptions; those that pass the gate come into use.

    Example: bellwether learn --as-of 2026-11-01
    """
    from bellwether import model_jobs
    from bellwether.model_printing import print_learned

    print_learned(model_jobs.run_learn(db, parse_as_of(as_of)), as_json)


def validate(
    out: Annotated[Path, typer.Option(metavar="FILE.html", help="Where to write the model card; its JSON goes beside it.")] = Path(
        "model-card.html"
    ),
    as_of: AsOf = "",
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Hold the clusters of past dates against what happened afterwards, and write a model card with plots.

    Example: bellwether validate --out model-card.html
    """
    from bellwether import model_jobs
    from bellwether.model_printing import print_validation

    print_validation(model_jobs.run_validate(db, parse_as_of(as_of), out), out, as_json)


@models.command("list")
def list_(db: Db = None, as_json: Json = False) -> None:
    """List every model with its verdict, what it learned from, and whether it is in use.

    Example: bellwether models list
    """
    from bellwether import model_jobs
    from bellwether.model_printing import print_models

    print_models(model_jobs.run_list_models(db), as_json)


@models.command()
def rollback(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="fit or signals.")],
    product: Annotated[str, typer.Argument(metavar="PRODUCT", help="A product of the catalogue; * for the fit model of all products.")],
    to: Annotated[str, typer.Option(metavar="MODEL", help="The model to go back to; the one in use before by default.")] = "",
    as_of: AsOf = "",
    db: Db = None,
) -> None:
    """Put an earlier model back in use from a date on.

    Example: bellwether models rollback fit Azure
    """
    from bellwether import model_jobs

    if kind not in ("fit", "signals"):
        fail_usage(f"{kind!r} is none of fit, signals")
    release = model_jobs.run_rollback(db, kind, product, to or None, parse_as_of(as_of))
    typer.echo(f"{kind} model {release.model_id} of {product} is in use from {release.released_on} on; score again to see its effect")
