"""The steps that flows are made of. Each is a function of the scene; steps of people are insisted on after a crash."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from payments.bell import DELIVERIES, EXPIRIES, INBOUND_WEBHOOKS, PSP_CALLS, RISK_CHECKS
from tests.chaos.scene import Scene

SELLERS = ("seller-books", "seller-tea", "seller-lamps")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that somebody does."""

    says: str
    run: Callable[[Scene], bool]
    """True: it is done. False: not yet, come back later."""
    insisted: bool = False
    """Whoever does it repeats it until it is done, because it is a person or another company."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Something that our processes do and may die in."""

    name: str
    before: tuple[Step, ...] = ()
    """What has happened before; nobody dies in it."""
    steps: tuple[Step, ...]
    """What is tried: killed at every place in it."""
    ends: Mapping[str, str]
    """How each order must end, by its number: `SUCCESS 10.00`, `FAILED canceled`. The PSP's books must say the same."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What differs from our settings."""
    can: Mapping[str, Any] = field(default_factory=dict)
    """What differs in the PSP's capabilities."""
    people_first: bool = False
    """After a crash people are back before the workers; else after them."""
    discrepancies: int = 0
    """How many differences people are told of."""
    breaks: Callable[[], None] | None = None
    """Plants a bug in each of our processes, to see whether the matrix finds it."""


def asks(says: str, path: str, body: Mapping[str, Any] | None = None, *, key: str = "") -> Step:
    """The shop calls our API, and again until it has an answer that is not `try again`.

    `{name}` in path, key and body stands for the checkout's id.
    """

    def run(scene: Scene) -> bool:
        status, answer = scene.post(
            path.replace("{name}", scene.name),
            _named(body or {}, scene.name),
            key=key.replace("{name}", scene.name),
        )
        if status in (409, 503) or (status >= 500 and scene.points.fell):
            return False
        assert 200 <= status < 300, f"{says}: {status} {answer}"
        return True

    return Step(says, run, insisted=True)


def creates(
    card: str = "tok_visa", amounts: tuple[str, ...] = ("EUR 10.00",), *, suffix: str = "", **more: Any
) -> Step:
    """The shop posts a checkout with one order per amount, under an Idempotency-Key. No card: the buyer will choose."""
    name = f"{{name}}{suffix}"
    body: dict[str, Any] = {
        "checkout_id": name,
        "buyer_info": {"buyer_id": "buyer", "email": "buyer@example.org"},
        "payment_orders": [
            {
                "payment_order_id": f"{name}-{number}",
                "seller_account": seller,
                "amount": amount.split()[1],
                "currency": amount.split()[0],
            }
            for number, (seller, amount) in enumerate(zip(SELLERS, amounts, strict=False), start=1)
        ],
        **({"payment_method": {"type": "card", "token": card}} if card else {}),
        **more,
    }
    return asks("the shop posts a checkout", "/v1/payments", body, key=f"key-{name}")


def pays_another_way(card: str = "tok_visa", *, key: str = "another") -> Step:
    """The shop charges what is open of a checkout with another card."""
    body = {"payment_method": {"type": "card", "token": card}}
    return asks(f"{key} attempt", "/v1/checkouts/{name}/attempts", body, key=f"{key}-{{name}}")


def works(bell: str) -> Step:
    """A worker does all that is due of one kind."""

    def run(scene: Scene) -> bool:
        scene.work(bell)
        return True

    return Step(f"a worker hears {bell}", run)


CALLS = works(PSP_CALLS)
HANDLES = works(INBOUND_WEBHOOKS)
EXPIRES = works(EXPIRIES)
ASKS_ABOUT_RISK = works(RISK_CHECKS)
TELLS_SHOP = works(DELIVERIES)


def outside(says: str, act: Callable[[Scene], bool]) -> Step:
    """Something that happens outside our processes; it cannot be killed by killing us."""

    def run(scene: Scene) -> bool:
        with scene.points.not_ours():
            return act(scene)

    return Step(says, run, insisted=True)


def _approve(scene: Scene) -> bool:
    """The buyer finishes every open challenge. False: there has been none yet."""
    payments = [payment for attempt in scene.attempts() for payment in scene.psp.payments(str(attempt.id))]
    for payment in payments:
        if payment["status"] == "requires_action":
            scene.psp.post(f"/v1/control/payments/{payment['id']}/challenge", {"result": "approve"})
    return bool(payments)


def _advance(scene: Scene) -> bool:
    """What is processing at the PSP comes to its end. False: there has been nothing yet."""
    payments = [payment for attempt in scene.attempts() for payment in scene.psp.payments(str(attempt.id))]
    for payment in payments:
        if payment["status"] == "processing":
            scene.psp.post(f"/v1/control/payments/{payment['id']}/advance")
    return bool(payments)


def _webhooks_arrive(scene: Scene) -> bool:
    scene.wait(scene.has_every_webhook, "the PSP's webhooks")
    return True


APPROVES = outside("the buyer passes 3-D Secure", _approve)
ADVANCES = outside("the bank decides", _advance)
WEBHOOKS_ARRIVE = outside("the PSP's webhooks arrive", _webhooks_arrive)


def time_passes(seconds: float) -> Step:
    """It is later."""

    def run(scene: Scene) -> bool:
        scene.move_clock(timedelta(seconds=seconds))
        return True

    return Step(f"{seconds:g} s pass", run)


def _webhooks_get_lost(scene: Scene) -> bool:
    scene.psp.post("/v1/control/faults", {"kind": "webhook_lost", "rate": 1})
    return True


WEBHOOKS_GET_LOST = outside("every webhook gets lost", _webhooks_get_lost)


def psp_fails(kind: str, operation: str) -> Step:
    """The PSP's next answer to this operation goes wrong in this way, once."""

    def act(scene: Scene) -> bool:
        scene.psp.post("/v1/control/faults", {"kind": kind, "operation": operation, "count": 1})
        return True

    return outside(f"{operation} will meet {kind}", act)


def _named(value: Any, name: str) -> Any:
    if isinstance(value, str):
        return value.replace("{name}", name)
    if isinstance(value, Mapping):
        return {key: _named(item, name) for key, item in value.items()}
    if isinstance(value, list):
        return [_named(item, name) for item in value]
    return value
