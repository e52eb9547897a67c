"""Events: what happened to an object, kept with a snapshot of it, and what is to be delivered of it.

Rows of the same transaction as the happening itself: an event can never be heard of before its cause has committed.
"""

import json
import time
from typing import Any

from sandbox_psp import compact, faults
from sandbox_psp.ids import new_id
from sandbox_psp.work import Fault, Work

GENUINE = "genuine"


def emit(work: Work, type_: str, view: dict[str, Any], own_faults: list[Fault]) -> None:
    """Keep the event and queue its deliveries, as the object's own faults and the rules in force want them."""
    event = {
        "id": new_id("evt"),
        "object": "event",
        "type": type_,
        "created": int(work.now),
        "data": {"object": view},
    }
    payload = compact.encode(event).encode()
    earlier = work.db.execute("SELECT COUNT(*) FROM events WHERE object = ?", (view["id"],)).fetchone()[0]
    work.db.execute(
        "INSERT INTO events (id, type, created, object, payload) VALUES (?, ?, ?, ?, ?)",
        (event["id"], type_, work.now, view["id"], payload),
    )
    struck = [fault for fault in own_faults if faults.KINDS[fault.kind].stage == faults.WEBHOOK]
    for fault in struck:
        faults.count(work.db, fault.kind)
    if work.rules:
        struck += faults.draw(work.db, operation=type_, stage=faults.WEBHOOK, now=work.now)
    if work.webhooks:
        _queue(work, event, struck, earlier)
    work.emitted = True


def _queue(work: Work, event: dict[str, Any], struck: list[Fault], earlier: int) -> None:
    copies, delay, lost = 1, 0.0, False
    forgeries: list[str] = []
    for fault in struck:
        if fault.kind == "webhook_lost":
            lost = True
        elif fault.kind == "webhook_late":
            delay += float(fault.params["seconds"])
        elif fault.kind == "webhook_duplicate":
            copies = int(fault.params["copies"])
        elif fault.kind == "webhook_reordered":
            delay += max(0.0, 3 - earlier) * float(fault.params["step_seconds"])
        elif fault.kind == "webhook_forged":
            forgeries = [str(variant) for variant in fault.params["variants"]]
    for _ in range(0 if lost else copies):
        _deliver(work, event, payload=None, signing=GENUINE, delay=delay)
    if forgeries:
        forged = {
            **event,
            "id": new_id("evt"),
            "type": "payment.succeeded",
            "data": {"object": {**event["data"]["object"], "status": "succeeded"}},
        }
        body = compact.encode(forged).encode()
        for variant in forgeries:
            _deliver(work, event, payload=body, signing=variant, delay=0)


def _deliver(work: Work, event: dict[str, Any], *, payload: bytes | None, signing: str, delay: float) -> None:
    # By the real clock: the receiver checks the age of a signature, and a test that moves the sandbox's clock must not
    # make it look old.
    work.db.execute(
        "INSERT INTO deliveries (event, object, payload, signing, next_at) VALUES (?, ?, ?, ?, ?)",
        (event["id"], event["data"]["object"]["id"], payload, signing, time.time() + delay),
    )


def stored(work: Work, *, after: int, limit: int, object_id: str | None) -> list[dict[str, Any]]:
    """Events in the order in which they happened."""
    rows = work.db.execute(
        "SELECT * FROM events WHERE seq > ? AND (? IS NULL OR object = ?) ORDER BY seq LIMIT ?",
        (after, object_id, object_id, limit),
    )
    return [{"seq": row["seq"], **json.loads(row["payload"])} for row in rows]
