"""3-D Secure: the page, both buttons, and the way back."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.sandbox_psp.client import Api, Receiver, wait_for


def press(api: Api, url: str, result: str) -> tuple[int, dict[str, str], str]:
    answer = api.call(
        "POST",
        urlsplit(url).path,
        f"result={result}".encode(),
        headers={"Authorization": "", "Content-Type": "application/x-www-form-urlencoded"},
    )
    return answer.status, dict(answer.headers), answer.raw.decode()


def test_the_page_asks_and_approval_pays(api: Api, receiver: Receiver) -> None:
    payment = api.pay("tok_3ds", return_url="http://shop.test/back?a=1", reference="attempt-1").json
    assert payment["status"] == "requires_action"
    assert payment["next_action"]["type"] == "redirect"
    url = payment["next_action"]["url"]
    assert url.startswith(f"http://127.0.0.1:{api.port}/3ds/acs_")
    assert api.charged("attempt-1") == (0, 0, 0)

    page = api.get(urlsplit(url).path, headers={"Authorization": ""})
    assert page.status == 200
    assert page.headers["Content-Type"].startswith("text/html")
    text = page.raw.decode()
    assert "10.00 EUR" in text
    assert "4242" not in text
    assert "3184" in text
    assert re.findall(r'<button[^>]*value="(\w+)"', text) == ["approve", "fail"]

    status, headers, _ = press(api, url, "approve")
    assert status == 303
    back = urlsplit(headers["Location"])
    assert (back.netloc, back.path) == ("shop.test", "/back")
    assert parse_qs(back.query) == {
        "a": ["1"],
        "payment": [payment["id"]],
        "reference": ["attempt-1"],
        "status": ["succeeded"],
    }
    assert api.payment(payment["id"])["next_action"] is None
    assert api.charged("attempt-1") == (1, 1, 1000)
    wait_for(lambda: len(receiver.types(payment["id"])) == 2, what="two events")
    assert receiver.types(payment["id"]) == ["payment.requires_action", "payment.succeeded"]


def test_a_failed_challenge_is_a_decline(api: Api) -> None:
    payment = api.pay("tok_3ds", return_url="http://shop.test/back").json
    _, headers, _ = press(api, payment["next_action"]["url"], "fail")
    assert "status=declined" in headers["Location"]
    now = api.payment(payment["id"])
    assert (now["status"], now["decline_code"], now["network_code"]) == (
        "declined",
        "authentication_failed",
        None,
    )


def test_tok_3ds_fail_fails_whatever_is_pressed(api: Api) -> None:
    payment = api.pay("tok_3ds_fail").json
    press(api, payment["next_action"]["url"], "approve")
    assert api.payment(payment["id"])["decline_code"] == "authentication_failed"


def test_an_authenticated_payment_can_still_be_declined(api: Api) -> None:
    payment = api.pay("tok_3ds_insufficient_funds").json
    press(api, payment["next_action"]["url"], "approve")
    assert api.payment(payment["id"])["decline_code"] == "insufficient_funds"


def test_pressing_twice_changes_nothing(api: Api) -> None:
    payment = api.pay("tok_3ds", reference="attempt-1").json
    for result in ("approve", "approve", "fail"):
        status, _, text = press(api, payment["next_action"]["url"], result)
        assert status == 200
        assert "succeeded" in text
    assert api.charged("attempt-1") == (1, 1, 1000)


def test_an_unknown_button_is_refused(api: Api) -> None:
    payment = api.pay("tok_3ds").json
    assert press(api, payment["next_action"]["url"], "perhaps")[0] == 400
    assert api.payment(payment["id"])["status"] == "requires_action"


def test_authorise_only_after_the_challenge(api: Api) -> None:
    payment = api.pay("tok_3ds", capture=False).json
    press(api, payment["next_action"]["url"], "approve")
    assert api.payment(payment["id"])["status"] == "authorized"


@pytest.mark.parametrize(("result", "status"), [("approve", "succeeded"), ("fail", "declined")])
def test_the_control_surface_can_stand_in_for_the_browser(api: Api, result: str, status: str) -> None:
    payment_id = api.pay("tok_3ds").json["id"]
    answer = api.post(f"/v1/control/payments/{payment_id}/challenge", {"result": result})
    assert answer.json["status"] == status


def test_a_forsaken_challenge_expires(api: Api) -> None:
    payment = api.pay("tok_3ds").json
    api.post("/v1/control/clock", {"advance_seconds": 3600})
    api.becomes(f"/v1/payments/{payment['id']}", "expired")
    status, _, text = press(api, payment["next_action"]["url"], "approve")
    assert status == 200
    assert "expired" in text


def test_a_challenge_can_be_canceled(api: Api) -> None:
    payment_id = api.pay("tok_3ds").json["id"]
    assert api.post(f"/v1/payments/{payment_id}/cancel").json["status"] == "canceled"
