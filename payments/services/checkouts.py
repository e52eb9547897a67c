"""Creating a checkout, once, however often it is asked for; and reading it back."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from moneyed import Money

from ledger import clock, money
from payments import records
from payments.errors import (
    CheckoutDiffers,
    CheckoutNotFound,
    OrderExists,
    OrderNotFound,
    PaymentError,
    SellerFrozen,
    UnknownSeller,
)
from payments.models import (
    ChargeMode,
    PaymentEvent,
    PaymentOrder,
    Shop,
)
from payments.representation import checkout_representation
from payments.services.admission import admit
from payments.services.attempts import Plan, plan_attempts
from payments.services.idempotency import Answer, digest_of, store_answer, stored_answer
from payments.states import PendingReason
from wallet.encryption import keyed_digest
from wallet.models import AccountHolder, HolderKind


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """What one seller is to get of a checkout."""

    payment_order_id: str
    seller_account: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCheckout:
    """A checkout as a shop describes it; its shape has been checked."""

    checkout_id: str
    buyer_info: Mapping[str, Any]
    method: str = ""
    """Empty: the buyer will choose."""
    token: str = ""
    charge: str = ChargeMode.PER_CHECKOUT
    manual_capture: bool = False
    return_url: str = ""
    orders: Sequence[NewOrder]

    def digest(self) -> bytes:
        """SHA-256 of everything the shop said, the same for the same content in any order of keys."""
        content = asdict(self)
        content["orders"] = [
            [
                order.payment_order_id,
                order.seller_account,
                str(order.amount.amount),
                order.amount.currency.code,
            ]
            for order in self.orders
        ]
        return digest_of(content)


def create_checkout(*, shop: Shop, new: NewCheckout, idempotency_key: str = "") -> Answer:
    """Store a checkout and what is to be charged for it; the PSP is called after commit.

    The same key replays its answer. The same `checkout_id` with the same content answers its latest status. A
    concurrent duplicate waits on the unique index until the first has committed, and then is one of these two.

    Raises:
        IdempotencyKeyReused: the key came with another request (422).
        CheckoutDiffers: the checkout exists with other content (422).
        OrderExists: a payment_order_id belongs to another checkout (422).
        UnknownSeller, SellerFrozen, MethodNotSupported, ChargeModeNotSupported, AmountNotSupported (422).
    """
    digest = new.digest()
    try:
        with transaction.atomic():
            return _create(shop=shop, new=new, idempotency_key=idempotency_key, digest=digest)
    except IntegrityError as error:
        known = _answer_known(shop=shop, new=new, idempotency_key=idempotency_key, digest=digest)
        if known is None:
            raise _taken_order(shop=shop, new=new, error=error) from None
        return known
    except PaymentError:
        # What is refused today may have been accepted yesterday: a repeat is told what became of it.
        known = _answer_known(shop=shop, new=new, idempotency_key=idempotency_key, digest=digest)
        if known is None:
            raise
        return known


def read_checkout(*, shop: Shop, checkout_id: str) -> Mapping[str, Any]:
    """A checkout of this shop as it is now.

    Raises:
        CheckoutNotFound: not there, or another shop's (404).
    """
    event = PaymentEvent.objects.filter(shop=shop, checkout_id=checkout_id).first()
    if event is None:
        raise CheckoutNotFound
    return checkout_representation(event, _orders_of(event.id))


def read_order(*, shop: Shop, payment_order_id: str) -> PaymentOrder:
    """A payment order of this shop, with its event and seller.

    Raises:
        OrderNotFound: not there, or another shop's (404).
    """
    order = (
        PaymentOrder.objects.select_related("event", "seller")
        .filter(shop=shop, payment_order_id=payment_order_id)
        .first()
    )
    if order is None:
        raise OrderNotFound
    return order


def _create(*, shop: Shop, new: NewCheckout, idempotency_key: str, digest: bytes) -> Answer:
    now = clock.now()
    sellers = _sellers(new)
    event = PaymentEvent(
        shop=shop,
        checkout_id=new.checkout_id,
        charge=new.charge,
        buyer_info=dict(new.buyer_info),
        buyer_digest=_buyer_digest(new.buyer_info),
        return_url=new.return_url,
        buyer_chooses=not new.method,
        manual_capture=new.manual_capture,
        content_digest=digest,
        expires_at=now + settings.CHECKOUT_LIFE,
        expiry_due_at=now + settings.CHECKOUT_LIFE,
        created_at=now,
    )
    orders = [
        PaymentOrder(
            event=event,
            shop=shop,
            payment_order_id=order.payment_order_id,
            position=position,
            seller=sellers[order.seller_account],
            amount=order.amount,
            commission_rate=sellers[order.seller_account].terms.commission_rate,
            captured=money.zero(order.amount.currency.code),
            refunded=money.zero(order.amount.currency.code),
            charged_back=money.zero(order.amount.currency.code),
            pending_reason="" if new.method else PendingReason.AWAITING_BUYER,
            created_at=now,
        )
        for position, order in enumerate(new.orders)
    ]
    plan: Plan = []
    if new.method:
        plan = plan_attempts(event, orders, method=new.method, token=new.token, now=now)
    event.save(force_insert=True)
    # Sorted, so that two checkouts that name the same orders wait for each other instead of deadlocking.
    PaymentOrder.objects.bulk_create(sorted(orders, key=lambda order: order.payment_order_id))
    moves = None
    if new.method:
        moves = admit(event=event, orders=orders, plan=plan, method=new.method, token=new.token, now=now)
    body = checkout_representation(event, orders)
    if idempotency_key:
        store_answer(shop=shop, key=idempotency_key, digest=digest, answer=Answer(201, body))
    records.announce_checkout(event, body=body, at=now)
    if moves is not None:
        moves.store(announce=any(order.is_final for order in orders))
    return Answer(201, body)


def _sellers(new: NewCheckout) -> dict[str, AccountHolder]:
    wanted = {order.seller_account for order in new.orders}
    sellers = {
        seller.reference: seller
        for seller in AccountHolder.objects.select_related("terms").filter(
            kind=HolderKind.SELLER, reference__in=wanted
        )
    }
    for position, order in enumerate(new.orders):
        field = f"payment_orders[{position}].seller_account"
        seller = sellers.get(order.seller_account)
        if seller is None or not hasattr(seller, "terms"):
            raise UnknownSeller(field=field)
        if seller.frozen:
            raise SellerFrozen(field=field)
    return sellers


def _answer_known(*, shop: Shop, new: NewCheckout, idempotency_key: str, digest: bytes) -> Answer | None:
    """The answer to a request that came before, or None when it never did."""
    stored = stored_answer(shop=shop, key=idempotency_key, digest=digest)
    if stored is not None:
        return stored
    event = PaymentEvent.objects.filter(shop=shop, checkout_id=new.checkout_id).first()
    if event is None:
        return None
    if bytes(event.content_digest) != digest:
        raise CheckoutDiffers(field="checkout_id")
    return Answer(200, checkout_representation(event, _orders_of(event.id)))


def _taken_order(*, shop: Shop, new: NewCheckout, error: IntegrityError) -> Exception:
    """Name the payment_order_id that another checkout holds; any other broken constraint is a bug of ours."""
    taken = set(
        PaymentOrder.objects.filter(
            shop=shop, payment_order_id__in=[order.payment_order_id for order in new.orders]
        ).values_list("payment_order_id", flat=True)
    )
    for position, order in enumerate(new.orders):
        if order.payment_order_id in taken:
            return OrderExists(field=f"payment_orders[{position}].payment_order_id")
    return error


def _orders_of(event_id: UUID) -> list[PaymentOrder]:
    return list(PaymentOrder.objects.select_related("seller").filter(event_id=event_id).order_by("position"))


def _buyer_digest(buyer_info: Mapping[str, Any]) -> str:
    """Who the buyer is, as well as the shop told us: its own id for them, else their address, else their number."""
    for name in ("buyer_id", "email", "phone"):
        if buyer_info.get(name):
            return keyed_digest(f"{name}:{str(buyer_info[name]).strip().lower()}")
    raise AssertionError("buyer_info names no buyer")
