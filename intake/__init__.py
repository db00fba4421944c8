"""The operator's book, read from CSV: every row is checked, bad rows become rejects, good rows are kept."""

from intake.importing import ImportSummary, import_file
from intake.kinds import KINDS

__all__ = ["KINDS", "ImportSummary", "import_file"]
