"""The chapters of the demo: each plays through the public API, as a shop would, and tells what came of it.

Where something goes wrong at the PSP, the sandbox PSP was told to let it go wrong; ours is told nothing.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests
from django.conf import settings

from paymentsite.api_client import ApiClient
from paymentsite.sample import SELLERS
from paymentsite.tables import text_table

Checkout = Mapping[str, Any]


class StoryFailed(Exception):
    """Something did not go as the story tells it."""


class Story:
    """A run of the demo; its `tag` is in every id, so that it can be told again on the same books."""

    def __init__(self, client: ApiClient, *, tag: str) -> None:
        self._client = client
        self._psp = _SandboxStaff()
        self.tag = tag

    @property
    def chapters(self) -> Sequence[Callable[[], str]]:
        """In the order in which they are told."""
        return (
            self.paid_in_one_charge,
            self.declined,
            self.double_click,
            self.lost_answer,
            self.late_success,
        )

    def paid_in_one_charge(self) -> str:
        """Three sellers, one charge, the split kept in the books."""
        checkout = self._play("paid", token="tok_visa", amounts=("40.00", "15.50", "99.99"))  # noqa: S106
        return _told("A cart of three sellers is paid in one charge.", checkout)

    def declined(self) -> str:
        """The bank says no, and nothing is booked."""
        checkout = self._play("declined", token="tok_insufficient_funds", amounts=("250.00",))  # noqa: S106
        return _told(
            "The buyer's bank declines: the order fails with its reason, and nothing is booked.", checkout
        )

    def double_click(self) -> str:
        """Both posts are told about the same checkout; the buyer is charged once."""
        body = self._body("twice", token="tok_visa", amounts=("20.00",))  # noqa: S106
        with ThreadPoolExecutor(2) as clicks:
            first, second = clicks.map(lambda _: self._client.post("/v1/payments", body), range(2))
        checkout = self._client.wait_for_checkout(body["checkout_id"])
        answers = sorted((first.status_code, second.status_code))
        self._expect(checkout, "paid", charges=1)
        return _told(
            f"The buyer clicks twice: the posts are answered {answers[1]} and {answers[0]}, and one charge is made.",
            checkout,
        )

    def lost_answer(self) -> str:
        """The PSP charges, its answer is lost and its webhook too: asking it heals both."""
        self._psp.rule(kind="webhook_lost", operation="payment.succeeded", count=1)
        began = time.monotonic()
        checkout = self._play("lost", token="tok_fault_reset_after", amounts=("75.00",))  # noqa: S106
        self._expect(checkout, "paid", charges=1)
        return _told(
            "The PSP charges, then the connection breaks, and its webhook is lost as well. For "
            f"{time.monotonic() - began:.1f} seconds the money is in doubt; then the PSP is asked, and everything is "
            "booked once.",
            checkout,
        )

    def late_success(self) -> str:
        """Money taken for a canceled order goes back to its buyer."""
        body = self._body("late", token="tok_visa", amounts=("30.00", "12.00"))  # noqa: S106
        self._post(body | {"capture": "manual"})
        first, canceled = (order["payment_order_id"] for order in body["payment_orders"])
        self._wait_for(body["checkout_id"], lambda order: order["pending_reason"] == "requires_capture")
        self._client.post(f"/v1/payments/{canceled}/cancel", {}).raise_for_status()
        self._psp.capture_everything(body["checkout_id"])
        checkout = self._client.wait_for_checkout(body["checkout_id"])
        self._expect(checkout, "partly_paid", charges=1)
        refunded = self._psp.wait_for_refund(body["checkout_id"])
        return _told(
            f"Two orders are authorised together, and {canceled} is canceled; then somebody captures all of it in the "
            f"PSP's dashboard. {first} is paid; the rest came too late, goes to unapplied receipts, and is sent back at "
            f"once ({refunded}).",
            checkout,
        )

    def _play(self, name: str, *, token: str, amounts: Sequence[str]) -> Checkout:
        body = self._body(name, token=token, amounts=amounts)
        self._post(body)
        checkout = self._client.wait_for_checkout(body["checkout_id"])
        if checkout["checkout_status"] == "pending":
            raise StoryFailed(f"Checkout {body['checkout_id']} is still pending.")
        return checkout

    def _post(self, body: Mapping[str, Any]) -> None:
        response = self._client.post("/v1/payments", body)
        if response.status_code != 201:
            raise StoryFailed(f"POST /v1/payments was answered {response.status_code}: {response.text}")

    def _wait_for(self, checkout_id: str, wanted: Callable[[Mapping[str, Any]], bool]) -> None:
        deadline = time.monotonic() + 30
        while not all(
            wanted(order)
            for order in self._client.get(f"/v1/checkouts/{checkout_id}").json()["payment_orders"]
        ):
            if time.monotonic() > deadline:
                raise StoryFailed(f"Checkout {checkout_id} does not get on.")
            time.sleep(0.1)

    def _expect(self, checkout: Checkout, status: str, *, charges: int) -> None:
        """The books of the PSP are asked, not ours: they are not ours to get wrong."""
        made = self._psp.charges(checkout["checkout_id"])
        if (checkout["checkout_status"], made) != (status, charges):
            raise StoryFailed(
                f"Checkout {checkout['checkout_id']} is {checkout['checkout_status']} after {made} charges; it should be "
                f"{status} after {charges}."
            )

    def _body(self, name: str, *, token: str, amounts: Sequence[str]) -> dict[str, Any]:
        checkout_id = f"demo-{self.tag}-{name}"
        return {
            "checkout_id": checkout_id,
            "buyer_info": {"buyer_id": f"demo-buyer-{self.tag}", "email": "buyer@example.org"},
            "payment_method": {"type": "card", "token": token},
            "payment_orders": [
                {
                    "payment_order_id": f"{checkout_id}-{position}",
                    "seller_account": seller["seller_account"],
                    "amount": amount,
                    "currency": "EUR",
                }
                for position, (seller, amount) in enumerate(zip(SELLERS, amounts, strict=False), start=1)
            ],
        }


class _SandboxStaff:
    """Somebody at the sandbox PSP's own dashboard: sees its books, captures by hand, lets things go wrong."""

    def __init__(self) -> None:
        options = settings.PAYMENT_PROVIDERS["sandbox"]["OPTIONS"]
        self._url = options["base_url"]
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {options['secret_key']}"

    def rule(self, **rule: Any) -> None:
        """From now on, let this go wrong."""
        self._call("POST", "/v1/control/faults", rule)

    def charges(self, checkout_id: str) -> int:
        """How often buyers of this checkout were really charged."""
        payments = self._payments(checkout_id)
        summary = self._call("GET", "/v1/charges/summary")["data"]
        return sum(row["charges"] for row in summary if row["payment"] in payments)

    def capture_everything(self, checkout_id: str) -> None:
        """As staff of the shop might do in a PSP's dashboard."""
        for payment_id in self._payments(checkout_id):
            self._call("POST", f"/v1/payments/{payment_id}/capture", {})

    def wait_for_refund(self, checkout_id: str) -> str:
        """What went back to the buyer, once it has."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for payment_id in self._payments(checkout_id):
                for refund in self._call("GET", f"/v1/refunds?payment={payment_id}")["data"]:
                    if refund["status"] == "succeeded":
                        return f"{refund['amount'] / 100:.2f} {refund['currency']}"
            time.sleep(0.1)
        raise StoryFailed("The late money was not sent back.")

    def _payments(self, checkout_id: str) -> list[str]:
        description = f"Checkout {checkout_id}"
        found = self._call("GET", "/v1/payments?limit=100")["data"]
        return [payment["id"] for payment in found if payment["description"] == description]

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        response = self._session.request(method, self._url + path, json=body, timeout=10)
        if not response.ok:
            raise StoryFailed(
                f"{method} {path} at the sandbox was answered {response.status_code}: {response.text}"
            )
        answer: dict[str, Any] = response.json()
        return answer


def _told(text: str, checkout: Checkout) -> str:
    orders = text_table(
        ("order", "seller", "amount", "", "status", "failure", "ledger", "wallet"),
        [
            (
                order["payment_order_id"],
                order["seller_account"],
                order["amount"],
                order["currency"],
                order["payment_order_status"],
                order["failure_code"] or "",
                "booked" if order["ledger_updated"] else "",
                "credited" if order["wallet_updated"] else "",
            )
            for order in checkout["payment_orders"]
        ],
        right=(2,),
    )
    return f"{text}\n\n{orders}"
