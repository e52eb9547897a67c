"""A risk service beside the PSP: it scores a payment by what stands in it, so that a test chooses the answer.

`refuse` anywhere in the buyer's email address scores 95, `review` 75, everything else 5; a large amount adds a little.
It remembers nothing: the same question gets the same answer. Latency and faults are those of every other operation
(`{"kind": "timeout_before", "operation": "risk.score"}`).
"""

from sandbox_psp.fields import Fields
from sandbox_psp.http import Request, Response, answer
from sandbox_psp.work import Work

WORDS = (("refuse", 95, "the address is known from fraud"), ("review", 75, "the address is new"))
HARMLESS = 5
LARGE_MINOR_UNITS = 1_000_000
LARGE_ADDS = 4
MOST_AMOUNTS = 50


def score(work: Work, request: Request) -> Response:
    """`{"reference", "checkout"?, "shop"?, "method"?, "amounts": [{"amount", "currency"}], "buyer": {...}}`."""
    fields = request.fields
    reference = fields.text("reference")
    for name in ("checkout", "shop", "method"):
        fields.text(name, "")
    amounts = fields.objects("amounts", most=MOST_AMOUNTS)
    largest = max((_amount(item) for item in amounts), default=0)
    email = fields.object("buyer").text("email", "").lower()
    fields.end()
    found = next(((points, why) for word, points, why in WORDS if word in email), (HARMLESS, ""))
    points, reasons = found[0], [found[1]] if found[1] else []
    if largest >= LARGE_MINOR_UNITS:
        points, reasons = points + LARGE_ADDS, [*reasons, "the amount is large"]
    return answer(
        200, {"object": "risk_score", "reference": reference, "score": min(points, 100), "reasons": reasons}
    )


def _amount(item: Fields) -> int:
    amount = int(item.amount())
    item.currency()
    item.end()
    return amount
