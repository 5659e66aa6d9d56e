"""Folds in modules of a package that a test writes, as the next process would load them."""

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path

from projections.engine import fold_digest as fold_digest_module
from projections.engine.fold_digest import fold_digest


def package_name(prefix: str, directory: Path) -> str:
    """Return a name that no other test's package has."""
    return f"{prefix}{directory.name.translate(str.maketrans('-.', '__'))}"


def digest_of_files(directory: Path, package: str, files: Mapping[str, str | None]) -> str:
    """Write the modules of a package, but for those without text; return the digest of its THING."""
    for name, text in files.items():
        if text is not None:
            (directory / package / f"{name}.py").write_text(text)
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]
    fold_digest_module.forget()
    importlib.invalidate_caches()
    return fold_digest(importlib.import_module(f"{package}.view").THING)
