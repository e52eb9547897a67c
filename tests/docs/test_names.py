"""Files and functions that the documents name exist."""

import ast
import re
from pathlib import Path

import pytest

from tests.docs.reading import DOCS, PROJECT

PAGES = sorted([PROJECT / "README.md", *DOCS.rglob("*.md")])
NAMED = re.compile(r"`(?P<path>[\w/]+\.(?:py|sql))(?::(?P<names>[\w.]+))?`")
FOLDERS = ("ledger", "wallet", "payments", "reconciliation", "paymentsite", "sandbox_psp", "scripts", "tests")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_named_files_and_functions_exist(page: Path) -> None:
    missing = []
    for named in NAMED.finditer(page.read_text()):
        files = found(named["path"])
        name = (named["names"] or "").rpartition(".")[2]
        if not files or (name and not any(name in definitions(file) for file in files)):
            missing.append(named[0])
    assert missing == []


def found(path: str) -> list[Path]:
    """The project's files of this path, from the top or from any folder below an app."""
    return [
        file for folder in FOLDERS for file in (PROJECT / folder).rglob(Path(path).name) if ends(file, path)
    ]


def ends(file: Path, path: str) -> bool:
    """Whether the file's path from the project's top ends in `path`."""
    return f"/{file.relative_to(PROJECT)}".endswith(f"/{path}")


def definitions(file: Path) -> set[str]:
    """Every function and class of a Python file."""
    tree = ast.parse(file.read_text())
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}
