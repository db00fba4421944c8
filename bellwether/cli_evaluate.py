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
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.svg", help="Draw precision against recall, and confidences against truth.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Precision, recall and F1 of events per type, beside keyword rules and zero-shot similarity.

    Example: bellwether evaluate events gold.jsonl
    """
    from bellwether import jobs
    from bellwether.printing import print_event_evaluation

    evaluation = jobs.run_evaluate_events(gold)
    if plot is not None:
        from bellwether.evaluation_plot import plot_event_evaluation

        plot_event_evaluation(evaluation, plot)
    print_event_evaluation(evaluation, as_json)


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


@app.command()
def fit(
    table: Annotated[
        Path, typer.Argument(metavar="TABLE.csv", help="A table with an outcome: .csv or .csv.gz, separated by , ; tab or |.")
    ],
    target: Annotated[str, typer.Option(metavar="COL", help="The outcome: yes/no, 1/0, true/false or won/lost.")],
    time: Annotated[str, typer.Option(metavar="COL", help="Dates or numbers that order the rows; @order where the file does.")] = "",
    group: Annotated[str, typer.Option(metavar="COL", help="Rows of one group are never both learned from and tested.")] = "",
    drop: Annotated[list[str] | None, typer.Option(metavar="COL", help="Columns to leave out; may be given again.")] = None,
    positive: Annotated[str, typer.Option(metavar="VALUE", help="The outcome that counts as positive, where its words are others.")] = "",
    as_json: Json = False,
) -> None:
    """How well the fit model would do on a table, in time where it has one, with the verdict and suspected leaks.

    Example: bellwether evaluate fit deals.csv --target won --time created_on --group domain --drop owner
    """
    from bellwether import model_jobs
    from bellwether.model_printing import print_table_evaluation

    print_table_evaluation(model_jobs.run_evaluate_fit(table, target, time, group, drop or [], positive), as_json)


@app.command()
def names(
    pairs: Annotated[Path, typer.Argument(metavar="PAIRS.csv", help="Columns name1, name2, is_match (true or false).")],
    as_json: Json = False,
) -> None:
    """Precision, recall and F1 of matching company names, beside difflib.

    Example: bellwether evaluate names pairs.csv
    """
    from bellwether.config import load_config
    from bellwether.printing import print_name_evaluation
    from intake.name_evaluation import evaluate_names

    print_name_evaluation(evaluate_names(pairs, load_config().seed), as_json)
