"""Another way to pay a checkout whose buyer may choose: the old attempt is known to be off before a new one starts."""

from django.db import IntegrityError, transaction

from ledger import clock
from payments.errors import AttemptOpen, CheckoutClosed, CheckoutNotFound
from payments.facts import lock_attempt
from payments.models import AttemptLine, PaymentAttempt, PaymentEvent, PaymentOrder, Shop
from payments.representation import checkout_representation
from payments.services.admission import admit, refuse_while_checked
from payments.services.attempts import plan_attempts
from payments.services.cancellations import call_off
from payments.services.idempotency import Answer, digest_of, store_answer, stored_answer
from payments.states import REPLACED


def request_attempt(*, shop: Shop, checkout_id: str, method: str, token: str, idempotency_key: str) -> Answer:
    """Charge what is open of a checkout in this way; the PSP is called after commit.

    An attempt that the buyer left unfinished is called off first: until the PSP has confirmed that, a second one could
    charge twice, so the caller is told to come back.

    Raises:
        CheckoutNotFound (404), CheckoutClosed, AttemptOpen, RiskCheckOpen, CallInProgress (409),
        IdempotencyKeyReused (422), and what
        `plan_attempts` raises.
    """
    digest = digest_of(["another_attempt", checkout_id, method, token])
    try:
        answer = _request(
            shop=shop, checkout_id=checkout_id, method=method, token=token, key=idempotency_key, digest=digest
        )
    except IntegrityError:
        # Another checkout has used the key since we looked: we have waited for it on the unique index.
        answer = stored_answer(shop=shop, key=idempotency_key, digest=digest)
        if answer is None:
            raise
    if answer is None:  # Raised only here, after the wish to call off the old attempt has been committed.
        raise AttemptOpen
    return answer


@transaction.atomic
def _request(
    *, shop: Shop, checkout_id: str, method: str, token: str, key: str, digest: bytes
) -> Answer | None:
    event = (
        PaymentEvent.objects.select_for_update(no_key=True).filter(shop=shop, checkout_id=checkout_id).first()
    )
    if event is None:
        raise CheckoutNotFound
    stored = stored_answer(shop=shop, key=key, digest=digest)
    if stored is not None:
        return stored
    now = clock.now()
    open_orders = [order for order in _orders(event) if not order.is_final]
    if not open_orders or not event.takes_another_method or event.expires_at <= now:
        raise CheckoutClosed
    refuse_while_checked(event)
    if _call_off_live(open_orders):
        return None
    open_orders = [order for order in _orders(event) if not order.is_final]
    plan = plan_attempts(event, open_orders, method=method, token=token, now=now)
    admit(event=event, orders=open_orders, plan=plan, method=method, token=token, now=now).store()
    answer = Answer(201, checkout_representation(event, _orders(event)))
    store_answer(shop=shop, key=key, digest=digest, answer=answer)
    return answer


def _call_off_live(orders: list[PaymentOrder]) -> bool:
    """Call off what may still take the money; whether something of it is left to wait for."""
    live = AttemptLine.objects.filter(order__in=orders, live=True)
    for attempt_id in live.values_list("attempt_id", flat=True).distinct().order_by("attempt_id"):
        locked = lock_attempt(attempt_id)
        call_off(
            locked,
            order_ids={order.id for order in locked.open_orders},
            reason=REPLACED,
            actor=f"shop:{locked.event.shop.slug}",
            at=clock.now(),
        )
    return PaymentAttempt.objects.filter(lines__order__in=orders, lines__live=True).exists()


def _orders(event: PaymentEvent) -> list[PaymentOrder]:
    return list(PaymentOrder.objects.select_related("seller").filter(event=event).order_by("position"))
