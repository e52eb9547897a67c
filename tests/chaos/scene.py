"""What the steps of a flow act with: the shop's calls, our workers, the buyer, the PSP, and time."""

import json
import os
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from celery import current_app
from django.db import close_old_connections, connection
from django.test import Client

from ledger import clock
from payments.bell import BELLS
from payments.models import InboundWebhook, PaymentAttempt
from payments.services.defaults import ensure_defaults
from tests.chaos.points import Points, Tell
from tests.chaos.psp import Outside
from tests.chaos.receiver import door

PATIENCE_SECONDS = 20
"""How long the outside may take for what it does at once."""


class Scene:
    """One case of one flow, seen from one of its processes."""

    def __init__(
        self, *, name: str, tell: Tell, points: Points, marks: Mapping[str, int], seed: int = 0
    ) -> None:
        self.name = name
        """The checkout's id; its orders are `<name>-1`, `<name>-2` ..."""
        self.tell = tell
        self.points = points
        self.marks = marks
        """What the PSP had seen before this case: the last `seq` of its charges and events."""
        self.psp = Outside()
        self.chance = Random(seed)
        self.moved = timedelta()
        self._client = Client(SERVER_NAME="127.0.0.1", raise_request_exception=False)
        self._sample: dict[str, str] = json.loads((Path(os.environ["RUN_DIR"]) / "sample.json").read_text())

    def move_clock(self, by: timedelta) -> None:
        """It is later now, for our processes; the outside keeps its own time."""
        self.set_clock((self.moved + by).total_seconds())

    def set_clock(self, seconds: float) -> None:
        """It is so much later than it really is."""
        self.moved = moved = timedelta(seconds=seconds)

        class Moved(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> "Moved":
                return cls.fromtimestamp((datetime.now(tz) + moved).timestamp(), tz)

        patch.object(clock, "datetime", Moved).start()
        self.tell(moved=self.moved.total_seconds())

    def post(self, path: str, body: Any, *, key: str = "", who: str = "api_key") -> tuple[int, Any]:
        """The shop calls our API (`who`: or the company, `company_api_key`); the status and the answer."""
        close_old_connections()
        headers = {
            "Authorization": f"Bearer {self._sample[who]}",
            **({"Idempotency-Key": key} if key else {}),
        }
        response = self._client.post(path, json.dumps(body), content_type="application/json", headers=headers)
        return response.status_code, json.loads(response.content) if response.content else None

    def receive(self, body: bytes, headers: Mapping[str, str]) -> int:
        """A webhook request as it came goes through our real view; its status."""
        close_old_connections()
        response = self._client.post(
            "/webhooks/sandbox", body, content_type="application/json", headers=dict(headers)
        )
        return int(response.status_code)

    def work(self, bell: str) -> None:
        """A worker hears this bell."""
        close_old_connections()
        current_app.tasks[BELLS[bell].task]()

    def attempts(self) -> list[PaymentAttempt]:
        """This checkout's attempts, oldest first."""
        return list(PaymentAttempt.objects.order_by("id"))

    def events(self) -> list[dict[str, Any]]:
        """The PSP's events since this case began."""
        return self.psp.events(after=self.marks["events"])

    def has_every_webhook(self) -> bool:
        """Whether every event of the PSP is in our inbox, or none is expected any more."""
        if door().shut.exists():
            return True
        lost = any(rule["kind"] == "webhook_lost" for rule in self.psp.get("/v1/control/faults")["rules"])
        ours = set(InboundWebhook.objects.values_list("dedup_key", flat=True))
        return lost or {event["id"] for event in self.events()} <= ours

    def wait(self, until: Callable[[], bool], what: str) -> None:
        """Wait for the outside, which works on its own.

        Raises:
            AssertionError: it takes too long.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not until():
            assert time.monotonic() < deadline, f"waited for {what} for {PATIENCE_SECONDS} s"
            time.sleep(0.01)


def marks_after(psp: Outside, before: Mapping[str, int]) -> tuple[dict[str, int], list[str]]:
    """How far the PSP's charges and events go now, and which events came since before."""
    events = psp.events(after=before.get("events", 0))
    found = {"charges": psp.charges(after=before.get("charges", 0)), "events": events}
    marks = {
        name: max([row["seq"] for row in rows], default=before.get(name, 0)) for name, rows in found.items()
    }
    return marks, [event["id"] for event in events]


EVIDENCE = (
    "payments_paymentevent",
    "payments_paymentorder",
    "payments_paymentattempt",
    "payments_operationtry",
    "payments_fact",
    "payments_statehistory",
    "payments_inboundwebhook",
    "payments_discrepancy",
    "payments_outboxevent",
    "ledger_entry",
    "ledger_posting",
    "wallet_lot",
)
"""What the report of a failure shows."""

KEPT = {
    "payments_shop",
    "payments_apikey",
    "payments_sellerterms",
    "wallet_accountholder",
}
"""What the template holds: the sample company."""


def empty_tables() -> None:
    """As on a system's first day: what cases leave behind is taken away, past the triggers that refuse it."""
    tables = [
        name
        for name in connection.introspection.django_table_names(only_existing=True)
        if name.split("_")[0] in ("ledger", "wallet", "payments", "reconciliation") and name not in KEPT
    ]
    with connection.cursor() as cursor:
        deletes = "; ".join(f"DELETE FROM {connection.ops.quote_name(name)}" for name in tables)
        cursor.execute(f"BEGIN; SET LOCAL session_replication_role = replica; {deletes}; COMMIT")
    ensure_defaults()


def dump() -> str:
    """The rows as text."""
    lines = []
    with connection.cursor() as cursor:
        for table in EVIDENCE:
            cursor.execute(f"SELECT t::text FROM {connection.ops.quote_name(table)} t ORDER BY 1")
            lines += [f"-- {table}", *(row[0] for row in cursor.fetchall())]
    return "\n".join(lines)
