"""After everything has come to rest: the PSP's own books against ours, and whether all that must hold does."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.db.models import Q
from moneyed import Money

from ledger import money
from ledger.services import trial_balance
from payments.models import (
    AttemptLine,
    Discrepancy,
    InboundWebhook,
    OutboxEvent,
    PaymentAttempt,
    PaymentOrder,
    WebhookEndpoint,
)
from payments.states import OrderStatus
from paymentsite.invariants import all_violations
from tests.chaos.receiver import door
from tests.chaos.recovery import due_models
from tests.chaos.scene import Scene
from tests.chaos.steps import Flow

HOLDS_MONEY = ("requires_action", "in_review", "processing", "authorized")
"""A payment at the PSP that may yet take money, or keeps it from the buyer."""

NEWS = {OrderStatus.SUCCESS: "payment_order.succeeded", OrderStatus.FAILED: "payment_order.failed"}


def complaints(scene: Scene, flow: Flow) -> list[str]:
    """Everything that is not as it must be; nothing, when nothing is lost and nothing doubled."""
    return [
        *(f"invariant {found.invariant}: {found.message}: {found.rows}" for found in all_violations()),
        *_charges(scene),
        *_holds(scene),
        *_orders(scene, flow),
        *_work(),
        *_news(scene, flow),
        *_told(),
    ]


def _charges(scene: Scene) -> Iterator[str]:
    """Every charge there is exactly once here, for the same amount; and every one here is there."""
    if not scene.psp.books_balance():
        yield "the PSP's own books do not balance"
    ours = {str(attempt.id): attempt for attempt in scene.attempts()}
    theirs = scene.psp.charges(after=scene.marks["charges"])
    for reference, times in Counter(row["reference"] for row in theirs).items():
        if times > 1:
            yield f"doubled: {times} payments took money for attempt {reference}"
    taken: dict[str, int] = {}
    for row in theirs:
        attempt = ours.get(row["reference"])
        if attempt is None:
            yield f"lost: the PSP took {row['amount_captured']} {row['currency']} for {row['reference']}, unknown here"
            continue
        here = money.to_minor(attempt.captured)
        there = row["amount_captured"] - row["amount_refunded"]
        if (here, attempt.amount.currency.code) != (there, row["currency"]):
            yield f"attempt {attempt.id}: {here} here, {there} {row['currency']} there"
        if attempt.psp_reference != row["payment"]:
            yield f"attempt {attempt.id} names {attempt.psp_reference}, the PSP {row['payment']}"
        taken[row["currency"]] = taken.get(row["currency"], 0) + there
    charged = {row["reference"] for row in theirs}
    for reference, attempt in ours.items():
        if attempt.captured and reference not in charged:
            yield f"invented: attempt {reference} has captured {attempt.captured}, the PSP nothing"
    booked = {
        (row.debit - row.credit).currency.code: money.to_minor(row.debit - row.credit)
        for row in trial_balance()
        if row.code.startswith("psp_receivable:")
    }
    if {code: minor for code, minor in booked.items() if minor} != {c: n for c, n in taken.items() if n}:
        yield f"the journal says that the PSP took {booked}, the PSP says {taken}"


def _holds(scene: Scene) -> Iterator[str]:
    """Nothing is left at the PSP that holds the buyer's money or may yet take it."""
    seen = {event["data"]["object"]["id"] for event in scene.events()}
    seen |= {payment["id"] for attempt in scene.attempts() for payment in scene.psp.payments(str(attempt.id))}
    for payment_id in sorted(seen):
        payment = scene.psp.get(f"/v1/payments/{payment_id}")
        if payment["status"] in HOLDS_MONEY:
            yield f"the PSP still holds payment {payment_id}: {payment['status']}"


def _orders(scene: Scene, flow: Flow) -> Iterator[str]:
    """Each order ended as the flow says, and that is what the PSP's truth demands."""
    orders = {order.payment_order_id: order for order in PaymentOrder.objects.order_by("position")}
    ends = {name.removeprefix(f"{scene.name}-"): _end(order) for name, order in orders.items()}
    if ends != dict(flow.ends):
        yield f"the orders ended as {ends}, not as {dict(flow.ends)}"
    paid = {line.order_id for line in AttemptLine.objects.filter(~Q(attempt__captured=0))}
    for order in orders.values():
        if order.status == OrderStatus.SUCCESS and order.id not in paid:
            yield f"order {order} succeeded, and no attempt of it took money"
    received: dict[str, Money] = {}
    for order in orders.values():
        code = order.amount.currency.code
        received[code] = received.get(code, money.zero(code)) + order.captured
    for code, amount in received.items():
        attempts = [a.captured for a in PaymentAttempt.objects.filter(currency=code)]
        if money.total(attempts, code) != amount:
            yield f"the orders received {amount}, the attempts took {money.total(attempts, code)}"


def _end(order: PaymentOrder) -> str:
    if order.status == OrderStatus.SUCCESS:
        return f"SUCCESS {order.captured.amount:.{money.decimals(order.currency)}f}"
    return f"{order.status} {order.failure_code or order.pending_reason}".strip()


def _work() -> Iterator[str]:
    """No work is left, none has died, and none hides from sweeper and dead letters alike."""
    for model in due_models():
        for row in model._default_manager.filter(Q(next_try_at__isnull=False) | Q(dead_at__isnull=False)):
            yield f"{model.__name__} {row.pk} is not at rest: due {row.next_try_at}, dead {row.dead_at}"
    for webhook in InboundWebhook.objects.filter(handled_at__isnull=True, parked=False):
        yield f"webhook {webhook.dedup_key} was never handled"


def _news(scene: Scene, flow: Flow) -> Iterator[str]:
    """The shop is told of each end once, and people of as many differences as there are."""
    told = Counter(
        (event.event_type, event.payload["payment_order_id"])
        for event in OutboxEvent.objects.filter(event_type__in=NEWS.values())
    )
    ended = Counter(
        (NEWS[OrderStatus(order.status)], order.payment_order_id)
        for order in PaymentOrder.objects.all()
        if order.status in NEWS
    )
    if told != ended:
        yield f"the outbox tells {dict(told)}, what ended is {dict(ended)}"
    raised = list(Discrepancy.objects.values_list("kind", "detail"))
    if len(raised) != flow.discrepancies:
        yield f"{flow.discrepancies} discrepancies were expected: {raised}"


def _told() -> Iterator[str]:
    """A shop that wants to be told has heard all news of each checkout, in order; some of them twice, perhaps."""
    if not WebhookEndpoint.objects.exists():
        return
    heard: dict[str, dict[str, Any]] = {}
    for message in door().told():
        heard.setdefault(message["id"], message["body"])
    told = [(body["type"], body["data"]) for body in heard.values()]
    news = [(one.event_type, one.payload) for one in OutboxEvent.objects.order_by("id")]
    if told != news:
        yield f"the shop heard {[name for name, _ in told]}, the news are {[name for name, _ in news]}"
