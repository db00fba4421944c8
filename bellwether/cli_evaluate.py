"""``bellwether evaluate …``: figures on labelled data, with intervals and baselines beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bellwether.cli_options import Json

app = typer.Typer(
    help="Measure quality on labelled data, with bootstrap intervals and baselines.", no_args_is_help=True, rich_markup_mode=None
)


@app.command()
def events(
    gold: Annotated[Path, typer.Argument(metavar="GOLD.jsonl", help="classify's input plus labels and doubts.")],
    as_json: Json = False,
) -> None:
    """Precision, recall and F1 of events per type, beside keyword rules and zero-shot similarity.

    Example: bellwether evaluate events gold.jsonl
    """
    from bellwether import jobs
    from bellwether.printing import print_event_evaluation

    print_event_evaluation(jobs.run_evaluate_events(gold), as_json)


@app.command()
def extraction(
    pages: Annotated[Path, typer.Argument(metavar="PAGES.warc.gz", help="Archived pages.")],
    gold: Annotated[Path, typer.Argument(metavar="GOLD.jsonl.gz", help="Lines with url, page_type and main_content.")],
    as_json: Json = False,
) -> None:
    """Word-F1 of the extracted main text by page type, beside trafilatura alone.

    Example: bellwether evaluate extraction pages.warc.gz gold.jsonl.gz
    """
    from bellwether import jobs
    from bellwether.printing import print_extraction_evaluation

    print_extraction_evaluation(jobs.run_evaluate_extraction(pages, gold), as_json)
