"""The diagrams in `docs/states.md`, drawn from the same tables as the models' transitions and the database's triggers."""

import re
from pathlib import Path

from payments import states
from payments.states import Edges

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "states.md"

_NAME = re.compile(r"([A-Z]+)_EDGES")
_BLOCK = re.compile(r"(<!-- diagram: (?P<name>\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def graphs() -> dict[str, Edges]:
    """Every graph of `payments.states` by its name: `order`, `attempt`, `try` ..."""
    return {
        match[1].lower(): edges for name, edges in vars(states).items() if (match := _NAME.fullmatch(name))
    }


def diagram(edges: Edges) -> str:
    """The graph in mermaid's language. It begins in the first state; states that nothing leaves end it."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {next(iter(edges))}"]
    for source, targets in edges.items():
        lines += [f"    {source} --> {target}" for target in targets or ["[*]"]]
    return "\n".join([*lines, "```"])


def drawn(text: str) -> str:
    """`text` with every diagram drawn anew, between `<!-- diagram: name -->` and `<!-- end -->`.

    Raises:
        KeyError: a diagram of a graph that does not exist.
        ValueError: a graph without a diagram.
    """
    missing = graphs().keys() - {match["name"] for match in _BLOCK.finditer(text)}
    if missing:
        raise ValueError(f"no diagram of {', '.join(sorted(missing))}")
    return _BLOCK.sub(lambda match: f"{match[1]}{diagram(graphs()[match['name']])}\n{match[3]}", text)
