"""A PSP's webhook is believed by its signature, stored before it is answered, and stored once."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.test import Client

from payments.bell import INBOUND_WEBHOOKS
from payments.errors import WebhookForged
from payments.models import InboundWebhook
from payments.psp.base import InboundRequest
from payments.psp.sandbox import SandboxPsp
from payments.webhooks import LARGEST_BODY_BYTES
from tests.payments.arranging import bring_to, look
from tests.payments.webhook_arranging import ADDRESS, deliver, event, signature

pytestmark = pytest.mark.django_db

BODY = b'{"id": "evt_1", "type": "payment.succeeded", "data": {}}'


def test_a_signed_webhook_is_stored_as_it_came_and_rings_after_the_commit(
    rings: list[str],
    django_capture_on_commit_callbacks: Callable[..., AbstractContextManager[list[Any]]],
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        assert deliver(BODY) == 204
        assert rings == []
    assert rings == [INBOUND_WEBHOOKS]
    row = InboundWebhook.objects.get()
    assert (row.psp_account, row.dedup_key, row.event_type) == ("sandbox", "evt_1", "payment.succeeded")
    assert bytes(row.body) == BODY
    assert row.next_try_at is not None and row.handled_at is None


def test_a_webhook_that_comes_a_hundred_times_is_taken_each_time_and_stored_once() -> None:
    assert {deliver(BODY) for _ in range(100)} == {204}
    assert InboundWebhook.objects.count() == 1


def test_the_first_words_of_an_event_stay() -> None:
    deliver(BODY)
    assert deliver(BODY.replace(b"{}", b"[]")) == 204
    assert bytes(InboundWebhook.objects.get().body) == BODY


def forgeries() -> dict[str, str]:
    """Headers that must not be believed."""
    genuine = signature(BODY)
    moment, _, mac = genuine.partition(",")
    return {
        "of somebody else": signature(BODY, key="somebody else's secret"),
        "of the empty secret": signature(BODY, key="") if signature(BODY, key="") != genuine else "x",
        "of another body": signature(BODY + b" "),
        "of an old time": signature(BODY, at=time.time() - 302),
        "of the future": signature(BODY, at=time.time() + 302),
        "of yesterday": signature(BODY, at=time.time() - 86_400),
        "without a time": mac,
        "without a mac": moment,
        "with two times": f"{moment},{genuine}",
        "with another time": f"t={int(time.time()) - 1},{mac}",
        "with a time that is no number": f"t=now,{mac}",
        "with a negative time": f"t=-1,{mac}",
        "with an endless time": f"t={'9' * 400},{mac}",
        "with wide digits": f"t=\N{FULLWIDTH DIGIT ONE},{mac}",
        "cut short": genuine[:-1],
        "in another scheme": genuine.replace("v1=", "v0="),
        "that is no signature": "x",
        "of nothing but commas": ",,,=,=",
    }


@pytest.mark.parametrize("name", forgeries())
def test_a_forged_webhook_is_refused_and_not_kept(name: str) -> None:
    assert deliver(BODY, header=forgeries()[name]) == 400
    assert not InboundWebhook.objects.exists()


def test_a_webhook_without_a_signature_is_refused() -> None:
    assert deliver(BODY, header="") == 400
    assert not InboundWebhook.objects.exists()


@pytest.mark.parametrize("seconds", [-298, 0, 298])
def test_clocks_may_differ_by_five_minutes(seconds: int) -> None:
    assert deliver(BODY, header=signature(BODY, at=time.time() + seconds)) == 204


def test_without_a_secret_nobody_is_believed() -> None:
    open_door = SandboxPsp(base_url="http://127.0.0.1:1", secret_key="sk", webhook_secret="")
    header = signature(BODY, key="")
    with pytest.raises(WebhookForged):
        open_door.receive(InboundRequest(body=BODY, headers={"sandbox-signature": header}))


def test_one_of_several_signatures_is_enough_while_a_secret_changes() -> None:
    genuine = signature(BODY)
    moment, _, mac = genuine.partition(",")
    assert deliver(BODY, header=f"{moment},v1={'0' * 64},{mac}") == 204


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"[]",
        b"null",
        b"{}",
        b'{"id": "evt_1"}',
        b'{"type": "payment.succeeded"}',
        b'{"id": "", "type": "payment.succeeded"}',
        b'{"id": 7, "type": "payment.succeeded"}',
        b'{"id": "evt_1", "type": null}',
        b'{"id": "evt_\\u0000", "type": "payment.succeeded"}',
        b'{"id": "evt_\\ud800", "type": "payment.succeeded"}',
        b'{"id": "evt_1", "type": "payment.\\u0000"}',
        b'{"id": "\xff"}',
        b'{"id": "' + b"x" * 256 + b'", "type": "payment.succeeded"}',
        b"[" * 50_000 + b"]" * 50_000,
        b'{"id": "evt_1", "type": "payment.x", "n": ' + b"9" * 10_000 + b"}",
    ],
    ids=lambda body: repr(body)[:40],
)
def test_a_signed_body_that_cannot_be_read_is_refused_and_never_an_error_of_ours(body: bytes) -> None:
    assert deliver(body) == 400
    assert not InboundWebhook.objects.exists()


def test_a_body_that_is_too_large_is_refused_before_it_is_read() -> None:
    assert deliver(b'{"a": "' + b"x" * LARGEST_BODY_BYTES + b'"}') == 413
    assert not InboundWebhook.objects.exists()


def test_an_account_that_is_not_there_is_a_404() -> None:
    assert deliver(BODY, address="/webhooks/nobody") == 404


def test_webhooks_are_only_posted() -> None:
    assert Client().get(ADDRESS).status_code == 405


def test_a_forged_success_pays_nobody() -> None:
    attempt = bring_to("SENT")
    before = look()
    body = event(attempt, "succeeded", "evt_forged")
    assert deliver(body, header="t=1,v1=00") == 400
    assert look() == before
