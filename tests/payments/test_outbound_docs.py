"""What `docs/webhooks.md` says is so."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import Settings
from standardwebhooks import Webhook

from ledger import clock
from payments import retries, tasks
from payments.models import EventType, RetryStrategy, Shop, Work
from payments.outbound.sending import TOTAL_SECONDS
from payments.outbound.signing import signed_headers
from payments.outbound.targets import PORTS
from payments.services.endpoints import register_endpoint
from tests.docs.reading import DOCS, code, section, table
from tests.payments.arranging import begin, start, tell
from tests.payments.receiving import shop_server

TEXT = (DOCS / "webhooks.md").read_text()

Receive = Callable[[str, dict[str, str], bytes, set[str]], int]


@pytest.fixture
def receive() -> Receive:
    """The function that the page shows."""
    (sample,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    names: dict[str, Any] = {}
    exec(sample, names)  # noqa: S102
    function: Receive = names["receive"]
    return function


@pytest.mark.django_db
def test_the_sample_takes_what_we_send_once(
    shop: Shop, settings: Settings, receive: Receive, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.WEBHOOKS_ALLOW_LOOPBACK = True
    seen: set[str] = set()
    with shop_server() as server:
        _, secret = register_endpoint(shop=shop, url=server.url)
        attempt = start(shop)
        begin(attempt)
        tell(attempt)
        tasks.deliver_webhooks()
    answers = [receive(secret, dict(one.headers), one.body, seen) for one in server.received * 2]
    assert answers == [204] * 4
    assert capsys.readouterr().out.count("ship order-") == 1


def test_the_sample_refuses_what_we_did_not_send(receive: Receive) -> None:
    secret, other = "whsec_" + "A" * 43 + "=", "whsec_" + "B" * 43 + "="
    body = '{"type":"payment_order.succeeded"}'
    headers = dict(signed_headers(message_id="m", at=clock.now(), body=body, secrets_now=[secret]))
    assert receive(other, headers, body.encode(), set()) == 400
    assert receive(secret, headers, body.encode() + b" ", set()) == 400
    assert receive(secret, {**headers, "webhook-timestamp": "1700000000"}, body.encode(), set()) == 400
    assert receive(secret, {}, body.encode(), set()) == 400


def test_the_signature_is_made_as_the_page_says() -> None:
    headers = signed_headers(message_id="m-1", at=clock.now(), body="{}", secrets_now=["whsec_c2VjcmV0"])
    assert Webhook("c2VjcmV0").verify("{}", dict(headers)) == {}
    assert headers["webhook-signature"].startswith("v1,")


def test_the_page_names_every_type_of_news() -> None:
    assert [code(row[0]) for row in table(section(TEXT, "## Register"))] == EventType.values


def test_the_page_names_the_waits() -> None:
    (strategy,) = [row for row in retries.STRATEGIES if row.work == Work.DELIVER_WEBHOOK]
    shown = re.search(r"after about (.*?), each up to", TEXT.replace("\n", " "))
    assert shown is not None
    seconds = {"s": 1, "min": 60, "h": 3600}
    said = [float(number) * seconds[unit] for number, unit in re.findall(r"(\d+) (s|min|h)\b", shown[1])]
    assert len(said) == strategy.most_tries
    for done, about in enumerate(said):
        assert about == pytest.approx(_wait(strategy, done), rel=0.08)


def _wait(strategy: RetryStrategy, done: int) -> float:
    wait = strategy.wait(done)
    assert wait is not None
    return wait.total_seconds()


def test_the_page_names_ports_and_times() -> None:
    assert "port 443, 80, 8080 or 8443" in TEXT and PORTS == (443, 80, 8080, 8443)
    assert "within 10 seconds" in TEXT and TOTAL_SECONDS == 10
