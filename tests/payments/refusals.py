"""Bad values, and what must come back for each."""

from collections.abc import Iterable
from typing import Any

from payments.models import IdempotencyKey, PaymentEvent
from tests.payments.calling import Answer, Caller

CARD = "4242424242424242"
SPACED_CARD = "4242 4242 4242 4242"
WIDE = "\N{FULLWIDTH DIGIT ONE}\N{FULLWIDTH DIGIT ZERO}"
NUL = "a\x00b"
WRONG_TYPES: tuple[Any, ...] = (1, 1.5, True, False, None, [], {}, ["a"], {"a": 1})

BAD_IDS: tuple[Any, ...] = (
    *WRONG_TYPES,
    "",
    " ",
    "a b",
    "a/b",
    "-a",
    ".a",
    "x" * 65,
    "ä",
    NUL,
    "a\n",
    "a'b",
    "a;b",
    "<a>",
    "1234567890123456",
    "9" * 13,
    "9" * 19,
    CARD,
    "4242-4242-4242-4242",
    "\N{FULLWIDTH DIGIT ONE}" * 16,
)


def complaint(answer: Answer, field: str) -> str:
    """What is wrong with a refusal that should name this field; empty when nothing is."""
    if answer.status not in (400, 422):
        return f"status {answer.status}"
    if answer.headers["Content-Type"] != "application/problem+json":
        return f"content type {answer.headers['Content-Type']}"
    missing = {"type", "title", "status", "detail", "code"} - answer.body.keys()
    if missing or answer.body["status"] != answer.status:
        return f"no problem document: {answer.body}"
    if not any(name == field or name.startswith((f"{field}.", f"{field}[")) for name in answer.fields):
        return f"names {answer.fields}"
    if CARD in str(answer.body) or SPACED_CARD in str(answer.body):
        return f"repeats the card number: {answer.body}"
    if PaymentEvent.objects.exists() or IdempotencyKey.objects.exists():
        return "stored something"
    return ""


def all_refused(caller: Caller, path: str, requests: Iterable[tuple[Any, Any, str]]) -> None:
    """Each of these (bad value, body with it, field) is a problem that names the field, and nothing is stored."""
    let_through = []
    for value, body, field in requests:
        if found := complaint(caller.post(path, body, key="key-1"), field):
            let_through.append(f"{field} = {value!r:.60}: {found}")
    assert not let_through, "\n".join(let_through)
