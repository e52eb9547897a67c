"""What a fact may move, locked in the one order in which everybody locks it.

Event, orders by id, attempt, operation tries by id; wallets and ledger accounts follow, inside their own services.
"""

from dataclasses import dataclass
from uuid import UUID

from payments.models import AttemptLine, OperationTry, PaymentAttempt, PaymentEvent, PaymentOrder
from payments.states import TryStatus


@dataclass(slots=True)
class LockedAttempt:
    """An attempt with everything that its facts may move."""

    event: PaymentEvent
    orders: list[PaymentOrder]
    attempt: PaymentAttempt
    lines: list[AttemptLine]
    tries: list[OperationTry]
    """Those that are open or due; a newer one stands behind the older ones."""

    @property
    def open_orders(self) -> list[PaymentOrder]:
        """The orders that may still succeed or fail."""
        return [order for order in self.orders if not order.is_final]

    @property
    def open_try(self) -> OperationTry | None:
        """The one call that has no answer yet."""
        return next((item for item in self.tries if item.status != TryStatus.ANSWERED), None)


def lock_attempt(attempt_id: UUID) -> LockedAttempt:
    """Lock an attempt, its event, its orders and its open tries."""
    event_id = PaymentAttempt.objects.values_list("event_id", flat=True).get(id=attempt_id)
    event = PaymentEvent.objects.select_for_update(no_key=True).get(id=event_id)
    lines = list(AttemptLine.objects.filter(attempt_id=attempt_id).order_by("order_id"))
    orders = list(
        PaymentOrder.objects.select_for_update(no_key=True, of=("self",))
        .select_related("seller")
        .filter(id__in=[line.order_id for line in lines])
        .order_by("id")
    )
    attempt = PaymentAttempt.objects.select_for_update(no_key=True).get(id=attempt_id)
    tries = list(OperationTry.objects.open_or_due(attempt_id).select_for_update(no_key=True))
    return LockedAttempt(event=event, orders=orders, attempt=attempt, lines=lines, tries=tries)
