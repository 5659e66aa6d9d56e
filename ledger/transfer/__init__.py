"""Export and import of a whole log as JSON Lines; the format is described in `format`."""

from __future__ import annotations

from .driving import (
    AnyLines,
    ImportProgress,
    export_async,
    export_lines,
    import_async,
    import_lines,
)
from .importing import ImportReport

__all__ = [
    "AnyLines",
    "ImportProgress",
    "ImportReport",
    "export_async",
    "export_lines",
    "import_async",
    "import_lines",
]
