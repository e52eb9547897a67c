"""What is tried. A new flow joins the whole proof by an entry here."""

from datetime import timedelta
from unittest.mock import patch

from payments import retries
from tests.chaos.doorsteps import (
    ASKS_ABOUT_EVERY_PAYMENT,
    OPENS_DOOR,
    OPENS_DOOR_OR_NEVER,
    PSP_KNOCKS,
    RECEIVES,
    REGISTERS_ENDPOINT,
    SHUTS_DOOR,
    SOME_WEBHOOKS,
    STAFF_REPLAY,
)
from tests.chaos.steps import (
    ADVANCES,
    APPROVES,
    ASKS_ABOUT_RISK,
    CALLS,
    EXPIRES,
    HANDLES,
    TELLS_SHOP,
    WEBHOOKS_ARRIVE,
    WEBHOOKS_GET_LOST,
    Flow,
    asks,
    creates,
    pays_another_way,
    psp_fails,
    time_passes,
)

LIFE = timedelta(minutes=10)
"""Of a checkout in the flows of expiry."""

TWO_CALLS = {"confirm": True}
"""The PSP is asked to make a payment, and then to take it."""

RESERVES = creates(capture="manual")
RESERVES_TWO = creates(amounts=("EUR 10.00", "EUR 20.50"), capture="manual")
CAPTURES = asks("the shop captures", "/v1/payments/{name}-1/capture")
CANCELS = asks("the shop cancels", "/v1/payments/{name}-1/cancel")

CREATING = (
    Flow(
        name="create a checkout",
        steps=(creates(amounts=("EUR 10.00", "EUR 20.50")),),
        ends={"1": "SUCCESS 10.00", "2": "SUCCESS 20.50"},
    ),
    Flow(
        name="charge",
        before=(creates(amounts=("EUR 10.00", "EUR 20.50")),),
        steps=(CALLS,),
        ends={"1": "SUCCESS 10.00", "2": "SUCCESS 20.50"},
    ),
    Flow(
        name="charge, declined",
        before=(creates("tok_insufficient_funds"),),
        steps=(CALLS,),
        ends={"1": "FAILED declined:insufficient_funds"},
    ),
    Flow(
        name="charge each order alone",
        before=(creates("pm_visa", ("EUR 10.00", "EUR 20.50"), charge="per_order"),),
        steps=(CALLS,),
        ends={"1": "SUCCESS 10.00", "2": "SUCCESS 20.50"},
    ),
    Flow(
        name="charge in two currencies",
        before=(creates("pm_visa", ("EUR 10.00", "JPY 700")),),
        steps=(CALLS,),
        ends={"1": "SUCCESS 10.00", "2": "SUCCESS 700"},
    ),
    Flow(
        name="create unconfirmed, then confirm",
        before=(creates(),),
        steps=(CALLS,),
        ends={"1": "SUCCESS 10.00"},
        can=TWO_CALLS,
    ),
)

WAITING = (
    Flow(
        name="3-D Secure, then webhook",
        before=(creates("tok_3ds"),),
        steps=(CALLS, APPROVES, WEBHOOKS_ARRIVE, HANDLES),
        ends={"1": "SUCCESS 10.00"},
    ),
    Flow(
        name="processing, then webhook",
        before=(creates("tok_processing"),),
        steps=(CALLS, ADVANCES, WEBHOOKS_ARRIVE, HANDLES),
        ends={"1": "SUCCESS 10.00"},
    ),
    Flow(
        name="store a webhook",
        before=(creates("tok_3ds"), CALLS, WEBHOOKS_ARRIVE, SHUTS_DOOR, APPROVES, PSP_KNOCKS),
        steps=(RECEIVES, OPENS_DOOR, WEBHOOKS_ARRIVE),
        ends={"1": "SUCCESS 10.00"},
    ),
    Flow(
        name="handle webhooks",
        before=(creates("tok_3ds"), CALLS, APPROVES, WEBHOOKS_ARRIVE),
        steps=(HANDLES,),
        ends={"1": "SUCCESS 10.00"},
    ),
)

IN_DOUBT = (
    Flow(
        name="answer lost, charged: query",
        before=(psp_fails("reset_after", "payments.create"), creates(), CALLS, time_passes(5)),
        steps=(CALLS,),
        ends={"1": "SUCCESS 10.00"},
    ),
    Flow(
        name="answer lost, nothing there: send again",
        before=(psp_fails("reset_before", "payments.create"), creates(), CALLS, time_passes(5)),
        steps=(CALLS,),
        ends={"1": "SUCCESS 10.00"},
    ),
    Flow(
        name="answer lost, webhook tells",
        before=(psp_fails("reset_after", "payments.create"), creates(), CALLS, WEBHOOKS_ARRIVE),
        steps=(HANDLES,),
        ends={"1": "SUCCESS 10.00"},
    ),
    Flow(
        name="the moment an answer is lost",
        before=(psp_fails("reset_after", "payments.create"), creates()),
        steps=(CALLS,),
        ends={"1": "SUCCESS 10.00"},
    ),
    Flow(
        name="too many requests, then again",
        before=(psp_fails("rate_limited_429", "payments.create"), creates()),
        steps=(CALLS, time_passes(60), CALLS),
        ends={"1": "SUCCESS 10.00"},
    ),
    Flow(
        name="confirmation's answer lost: query",
        before=(psp_fails("reset_after", "payments.confirm"), creates(), CALLS, time_passes(5)),
        steps=(CALLS,),
        ends={"1": "SUCCESS 10.00"},
        can=TWO_CALLS,
    ),
    Flow(
        name="capture's answer lost: query",
        before=(
            psp_fails("reset_after", "payments.capture"),
            RESERVES,
            CALLS,
            CAPTURES,
            CALLS,
            time_passes(5),
        ),
        steps=(CALLS,),
        ends={"1": "SUCCESS 10.00"},
    ),
    Flow(
        name="cancellation's answer lost: query",
        before=(psp_fails("reset_after", "payments.cancel"), RESERVES, CALLS, CANCELS, CALLS, time_passes(5)),
        steps=(CALLS,),
        ends={"1": "FAILED canceled"},
    ),
)

UNTOLD = (
    # Webhooks heal so much that what heals without them must be tried alone.
    Flow(
        name="charge, no webhook ever",
        before=(WEBHOOKS_GET_LOST, creates(amounts=("EUR 10.00", "EUR 20.50"))),
        steps=(CALLS,),
        ends={"1": "SUCCESS 10.00", "2": "SUCCESS 20.50"},
    ),
    Flow(
        name="3-D Secure, no webhook ever",
        before=(WEBHOOKS_GET_LOST, creates("tok_3ds"), CALLS, APPROVES, time_passes(60)),
        steps=(CALLS,),
        ends={"1": "SUCCESS 10.00"},
    ),
    Flow(
        name="authorise and capture, no webhook ever",
        before=(WEBHOOKS_GET_LOST, RESERVES),
        steps=(CALLS, CAPTURES, CALLS),
        ends={"1": "SUCCESS 10.00"},
    ),
    Flow(
        name="cancel what is authorised, no webhook ever",
        before=(WEBHOOKS_GET_LOST, RESERVES, CALLS),
        steps=(CANCELS, CALLS),
        ends={"1": "FAILED canceled"},
    ),
    Flow(
        name="create unconfirmed, then confirm, no webhook ever",
        before=(WEBHOOKS_GET_LOST, creates()),
        steps=(CALLS,),
        ends={"1": "SUCCESS 10.00"},
        can=TWO_CALLS,
    ),
)

CAPTURING = (
    Flow(
        name="authorise, then capture",
        before=(RESERVES,),
        steps=(CALLS, CAPTURES, CALLS),
        ends={"1": "SUCCESS 10.00"},
    ),
    Flow(
        name="capture a part",
        before=(RESERVES, CALLS),
        steps=(
            asks("the shop captures a part", "/v1/payments/{name}-1/capture", {"amount": "4.00"}),
            CALLS,
        ),
        ends={"1": "SUCCESS 4.00"},
    ),
    Flow(
        name="capture two orders together",
        before=(RESERVES_TWO, CALLS),
        steps=(
            asks(
                "the shop captures both",
                "/v1/checkouts/{name}/capture",
                {
                    "payment_orders": [
                        {"payment_order_id": "{name}-1"},
                        {"payment_order_id": "{name}-2", "amount": "15.00"},
                    ]
                },
            ),
            CALLS,
        ),
        ends={"1": "SUCCESS 10.00", "2": "SUCCESS 15.00"},
    ),
    Flow(
        name="capture one order, then the other",
        before=(RESERVES_TWO, CALLS),
        steps=(
            CAPTURES,
            CALLS,
            asks("the shop captures the other", "/v1/payments/{name}-2/capture"),
            CALLS,
        ),
        ends={"1": "SUCCESS 10.00", "2": "SUCCESS 20.50"},
    ),
    Flow(
        name="cancel one order, capture the other",
        before=(RESERVES_TWO, CALLS),
        steps=(CANCELS, asks("the shop captures the other", "/v1/payments/{name}-2/capture"), CALLS),
        ends={"1": "FAILED canceled", "2": "SUCCESS 20.50"},
    ),
)

CALLING_OFF = (
    Flow(
        name="cancel what was never sent",
        before=(creates(),),
        steps=(CANCELS,),
        ends={"1": "FAILED canceled"},
        people_first=True,
    ),
    Flow(
        name="cancel what waits for the buyer",
        before=(creates("tok_3ds"), CALLS),
        steps=(CANCELS, CALLS),
        ends={"1": "FAILED canceled"},
    ),
    Flow(
        name="cancel what is authorised",
        before=(RESERVES, CALLS),
        steps=(CANCELS, CALLS),
        ends={"1": "FAILED canceled"},
    ),
    Flow(
        name="another card after a decline",
        before=(creates(""), pays_another_way("tok_insufficient_funds", key="declined"), CALLS),
        steps=(pays_another_way(), CALLS),
        ends={"1": "SUCCESS 10.00"},
    ),
    Flow(
        name="another card instead of an unfinished one",
        before=(creates(""), pays_another_way("tok_3ds", key="unfinished"), CALLS),
        steps=(pays_another_way(), CALLS, pays_another_way(), CALLS),
        ends={"1": "SUCCESS 10.00"},
    ),
    Flow(
        name="expire what nobody paid",
        before=(creates(""), time_passes(LIFE.total_seconds() + 1)),
        steps=(EXPIRES,),
        ends={"1": "FAILED expired"},
        settings={"CHECKOUT_LIFE": LIFE},
    ),
    Flow(
        name="expire what waits for the buyer",
        before=(creates("tok_3ds"), CALLS, time_passes(LIFE.total_seconds() + 1)),
        steps=(EXPIRES, CALLS),
        ends={"1": "FAILED expired"},
        settings={"CHECKOUT_LIFE": LIFE},
    ),
)

AROUND = (
    Flow(
        name="the risk provider is asked first",
        before=(ASKS_ABOUT_EVERY_PAYMENT, creates()),
        steps=(ASKS_ABOUT_RISK, CALLS),
        ends={"1": "SUCCESS 10.00"},
    ),
    Flow(
        name="the shop is told",
        before=(REGISTERS_ENDPOINT, creates(amounts=("EUR 10.00", "EUR 20.50")), CALLS),
        steps=(TELLS_SHOP,),
        ends={"1": "SUCCESS 10.00", "2": "SUCCESS 20.50"},
        settings={"WEBHOOKS_ALLOW_LOOPBACK": True},
    ),
)

FLOWS: tuple[Flow, ...] = (*CREATING, *WAITING, *IN_DOUBT, *UNTOLD, *CAPTURING, *CALLING_OFF, *AROUND)


MOST_CLAIMS = 5
"""Of a poison job, so that it need not kill two hundred workers."""


def _few_claims() -> None:
    patch.object(retries, "MOST_CLAIMS", MOST_CLAIMS).start()


POISON = Flow(
    name="a job kills its worker, and again",
    before=(WEBHOOKS_GET_LOST, creates(), creates(suffix="-other")),
    steps=(CALLS, STAFF_REPLAY),
    ends={"1": "SUCCESS 10.00", "other-1": "SUCCESS 10.00"},
    breaks=_few_claims,
)

WEBHOOK_STORM = Flow(
    name="webhooks in any order",
    before=(SHUTS_DOOR,),
    steps=(
        creates("tok_3ds", ("EUR 10.00", "EUR 20.50", "EUR 0.99"), capture="manual"),
        CALLS,
        SOME_WEBHOOKS,
        APPROVES,
        SOME_WEBHOOKS,
        time_passes(60),
        CALLS,
        CAPTURES,
        SOME_WEBHOOKS,
        CALLS,
        SOME_WEBHOOKS,
        asks("the shop captures the second", "/v1/payments/{name}-2/capture"),
        CALLS,
        SOME_WEBHOOKS,
        asks("the shop captures the third", "/v1/payments/{name}-3/capture"),
        CALLS,
        SOME_WEBHOOKS,
        OPENS_DOOR_OR_NEVER,
    ),
    ends={"1": "SUCCESS 10.00", "2": "SUCCESS 20.50", "3": "SUCCESS 0.99"},
)

STORMS = (POISON, WEBHOOK_STORM)
"""Played by `storms.py`, each by its own rules."""
