"""The shape of a question that must find nothing."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """A query for what must not be: each row is one violation, its first column names the row."""

    invariant: int
    message: str
    sql: str
