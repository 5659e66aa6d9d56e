"""Export and import of a whole log as JSON Lines; the format is described in `format`."""

from __future__ import annotations

from .driving import (
    AnyLines,
    ImportProgress,
    export_lines,
    export_lines_async,
    import_lines,
    import_lines_async,
)
from .importing import ImportReport

__all__ = [
    "AnyLines",
    "ImportProgress",
    "ImportReport",
    "export_lines",
    "export_lines_async",
    "import_lines",
    "import_lines_async",
]
