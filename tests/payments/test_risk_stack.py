"""Risk over real HTTP: the shop posts, staff decide in the back office, the sandbox scores and keeps its books."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import requests

from paymentsite.api_client import ApiClient
from tests.stack import Stack

pytestmark = pytest.mark.stack


class Staff:
    """A person at the back office, in a browser without JavaScript."""

    def __init__(self, stack: Stack) -> None:
        self._url = stack.url
        self._session = requests.Session()
        sample = stack.sample
        self.send(
            "/admin/login/?next=/admin/",
            {"username": sample["staff_username"], "password": sample["staff_password"]},
        )
        assert "sessionid" in self._session.cookies

    def read(self, path: str) -> str:
        """A page."""
        response = self._session.get(self._url + path, timeout=20)
        assert response.status_code == 200, response.text[:500]
        return response.text

    def send(self, path: str, form: Mapping[str, str], *, page: str = "") -> None:
        """Fill in the form on a page and send it."""
        self.read(page or path)
        token = self._session.cookies["csrftoken"]
        response = self._session.post(
            self._url + path,
            {**form, "csrfmiddlewaretoken": token},
            headers={"Referer": self._url + path},
            allow_redirects=False,
            timeout=20,
        )
        assert response.status_code == 302, response.text[:2000]

    def decide(self, checkout_id: str, decision: str) -> None:
        """Open the payment from the review queue and decide it."""
        queue = self.read(f"/admin/payments/riskcheck/?q={checkout_id}")
        page = re.search(r"/admin/payments/riskcheck/[0-9a-f-]{36}/change/", queue)
        assert page is not None, "not in the queue"
        form = re.search(r'action="(/admin/payments/riskcheck/[0-9a-f-]{36}/decide/)"', self.read(page[0]))
        assert form is not None
        self.send(form[1], {"reason": "called the buyer", "decision": decision}, page=page[0])


RULES = (
    # Only for currencies and buyers of these tests: the stack is shared.
    {"name": "stack-chf", "action": "review", "currency": "CHF", "parameters": '{"limit": "100.00"}'},
    {"name": "stack-sek", "action": "ask", "currency": "SEK", "parameters": '{"limit": "0.00"}'},
)


@pytest.fixture(scope="module")
def staff(stack: Stack) -> Iterator[Staff]:
    """Staff who have written two rules and blocked one address; the rules are off again afterwards."""
    person = Staff(stack)
    for rule in RULES:
        form = {
            "kind": "amount_above",
            "subject": "",
            "window": "",
            "priority": "60",
            "enabled": "on",
            **rule,
        }
        person.send("/admin/payments/riskrule/add/", form)
    person.send(
        "/admin/payments/risklistentry/add/",
        {
            "kind": "block",
            "subject": "email",
            "value": "thief@example.org",
            "note": "case 1",
            "expires_at_0": "",
            "expires_at_1": "",
        },
    )
    yield person
    off = "from payments.models import RiskRule; RiskRule.objects.filter(name__startswith='stack-').update(enabled=False)"
    assert stack.manage("shell", "--no-imports", "-c", off).returncode == 0


@pytest.fixture(scope="module")
def shop(stack: Stack) -> ApiClient:
    return ApiClient(base_url=stack.url, api_key=stack.sample["api_key"])


@pytest.fixture(scope="module")
def at_psp(stack: Stack) -> Callable[[str], list[Any]]:
    """What the sandbox PSP knows of a checkout, whatever became of it."""

    def known(checkout_id: str) -> list[Any]:
        payments = _sandbox(stack, "GET", "/v1/payments?limit=1000")["data"]
        assert len(payments) < 1000, "more than one page"
        return [one for one in payments if one["description"] == f"Checkout {checkout_id}"]

    return known


def _sandbox(stack: Stack, method: str, path: str, body: Any = None) -> Any:
    key = stack.environment["SANDBOX_PSP_SECRET_KEY"]
    response = requests.request(
        method, stack.sandbox_url + path, json=body, headers={"Authorization": f"Bearer {key}"}, timeout=20
    )
    assert response.status_code in (200, 201), response.text
    return response.json()


def post(shop: ApiClient, name: str, *, amount: str, currency: str, email: str) -> dict[str, Any]:
    """A card checkout with one order."""
    response = shop.post(
        "/v1/payments",
        {
            "checkout_id": name,
            "buyer_info": {
                "email": email,
                "name": "Amina Yusuf",
                "country": "KE",
                "ip_address": "203.0.113.7",
            },
            "payment_method": {"type": "card", "token": "tok_visa"},
            "payment_orders": [
                {
                    "payment_order_id": f"{name}-1",
                    "seller_account": "seller-books",
                    "amount": amount,
                    "currency": currency,
                }
            ],
        },
    )
    assert response.status_code == 201, response.text
    answer: dict[str, Any] = response.json()
    return answer


def wait_for_reason(shop: ApiClient, name: str, reason: str, *, seconds: float = 60) -> None:
    """Return when the checkout waits for this."""
    until = time.monotonic() + seconds
    while (found := shop.get(f"/v1/payments/{name}-1").json()["pending_reason"]) != reason:
        assert time.monotonic() < until, f"{name} waits for {found}, not for {reason}"
        time.sleep(0.2)


def failure(shop: ApiClient, name: str) -> str:
    """Why the order failed, once it has."""
    order = shop.wait_for_checkout(name)["payment_orders"][0]
    return str(order["failure_code"])


def test_a_refused_payment_reaches_no_psp(
    staff: Staff, shop: ApiClient, at_psp: Callable[[str], list[Any]]
) -> None:
    answer = post(shop, "risk-blocked", amount="10.00", currency="EUR", email="Thief@example.org")
    assert answer["checkout_status"] == "failed"
    assert answer["payment_orders"][0]["failure_code"] == "risk_refused"
    post(shop, "risk-honest", amount="10.00", currency="EUR", email="honest@example.org")
    assert shop.wait_for_checkout("risk-honest")["is_payment_done"] is True
    assert len(at_psp("risk-honest")) == 1
    assert at_psp("risk-blocked") == []


def test_what_staff_accept_is_charged_and_what_they_refuse_is_not(
    staff: Staff, shop: ApiClient, at_psp: Callable[[str], list[Any]]
) -> None:
    for name in ("risk-good", "risk-bad"):
        answer = post(shop, name, amount="100.01", currency="CHF", email="someone@example.org")
        assert answer["payment_orders"][0]["pending_reason"] == "risk_review"
    time.sleep(3)  # Longer than a sweep: nobody must pick it up.
    assert at_psp("risk-good") == at_psp("risk-bad") == []
    staff.decide("risk-good", "accept")
    staff.decide("risk-bad", "refuse")
    assert shop.wait_for_checkout("risk-good")["is_payment_done"] is True
    assert failure(shop, "risk-bad") == "risk_refused"
    assert len(at_psp("risk-good")) == 1
    assert at_psp("risk-bad") == []


def test_the_outside_score_decides(
    stack: Stack, staff: Staff, shop: ApiClient, at_psp: Callable[[str], list[Any]]
) -> None:
    for name, email in (
        ("risk-5", "a@example.org"),
        ("risk-75", "review@example.org"),
        ("risk-95", "refuse@b.org"),
    ):
        answer = post(shop, name, amount="50.00", currency="SEK", email=email)
        assert answer["payment_orders"][0]["pending_reason"] == "risk_check"
    assert shop.wait_for_checkout("risk-5")["is_payment_done"] is True
    assert failure(shop, "risk-95") == "risk_refused"
    wait_for_reason(shop, "risk-75", "risk_review")
    assert [len(at_psp(name)) for name in ("risk-5", "risk-75", "risk-95")] == [1, 0, 0]
    staff.decide("risk-75", "refuse")


def test_a_provider_that_hangs_leaves_it_to_people(
    stack: Stack, staff: Staff, shop: ApiClient, at_psp: Callable[[str], list[Any]]
) -> None:
    fault = {"kind": "timeout_before", "operation": "risk.score", "count": 3, "hang_seconds": 20}
    _sandbox(stack, "POST", "/v1/control/faults", fault)
    post(shop, "risk-hangs", amount="50.00", currency="SEK", email="a@example.org")
    wait_for_reason(shop, "risk-hangs", "risk_review")
    assert at_psp("risk-hangs") == []
    staff.decide("risk-hangs", "accept")
    assert shop.wait_for_checkout("risk-hangs")["is_payment_done"] is True
    assert len(at_psp("risk-hangs")) == 1


def test_the_invariants_hold_after_all_this(stack: Stack) -> None:
    checked = stack.manage("check_invariants")
    assert checked.returncode == 0, checked.stdout + checked.stderr
