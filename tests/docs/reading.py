"""Reading the project's documents."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent
DOCS = PROJECT / "docs"


def section(text: str, heading: str) -> str:
    """What stands below a heading, to the next heading of any level.

    Raises:
        AssertionError: there is no such heading.
    """
    lines = text.splitlines()
    assert heading in lines, f"no heading {heading!r}"
    start = lines.index(heading) + 1
    end = next((at for at in range(start, len(lines)) if lines[at].startswith("#")), len(lines))
    return "\n".join(lines[start:end])


def table(text: str) -> list[list[str]]:
    """The cells of the first table in a text, row by row, without its headings."""
    rows: list[list[str]] = []
    for line in text.splitlines():
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
        elif rows:
            break
    assert len(rows) > 2, "no table"
    return rows[2:]


def code(cell: str) -> str:
    """A cell's text without the marks of code."""
    return cell.strip("`")
