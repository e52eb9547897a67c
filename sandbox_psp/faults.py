"""Everything that can go wrong on purpose, as data; and the rules that say when.

A fault is asked for in two ways. A token `tok_fault_<kind>` (or `pm_fault_<kind>`) pays like a good Visa card and
meets the fault once per idempotency key, so that a caller who recovers properly gets through; `_on_capture`,
`_on_cancel` or `_on_refund` at its end moves the fault to that operation. A rule (`POST /v1/control/faults`) strikes any
request of an operation, a number of times, for a while, or at a seeded rate: the n-th matching request meets the same
fate on each run with the same seed.
"""

import json
import re
import sqlite3
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Any, Final

from sandbox_psp.ids import new_id
from sandbox_psp.work import Fault

INSTEAD: Final = "instead"  # the request is not carried out
ANSWER: Final = "answer"  # carried out and stored, but the answer is spoiled on its way
RECORD: Final = "record"  # carried out, but what is kept under the idempotency key is wrong
OBJECT: Final = "object"  # another thing happens, or what happened is told wrongly
WEBHOOK: Final = "webhook"  # the event is delivered wrongly


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One way to fail."""

    stage: str
    summary: str
    params: dict[str, Any] = field(default_factory=dict)
    """Parameters and their defaults; a rule may set them."""
    times: int = 1
    """How often a token meets it per idempotency key."""


KINDS: dict[str, Kind] = {
    "timeout_before": Kind(
        stage=INSTEAD,
        summary="nothing happens, no answer comes, the connection closes after hang_seconds",
        params={"hang_seconds": None},
    ),
    "timeout_after": Kind(
        stage=ANSWER,
        summary="it happens, but no answer comes; the connection closes after hang_seconds",
        params={"hang_seconds": None},
    ),
    "reset": Kind(stage=ANSWER, summary="it happens, but the connection is reset without an answer"),
    "reset_after": Kind(stage=ANSWER, summary="the same as reset"),
    "reset_before": Kind(stage=INSTEAD, summary="nothing happens, the connection is reset"),
    "truncated": Kind(stage=ANSWER, summary="it happens; the answer is the first half of the JSON, with 2xx"),
    "cut_off": Kind(stage=ANSWER, summary="it happens; the connection closes in the middle of the answer"),
    "html": Kind(stage=ANSWER, summary="it happens; the answer is a page of HTML with status 200"),
    "error_500": Kind(stage=INSTEAD, summary="nothing happens, 500, nothing is stored: the next try works"),
    "error_500_stored": Kind(
        stage=INSTEAD, summary="nothing happens, 500, stored and replayed under that key"
    ),
    "error_500_charged": Kind(stage=RECORD, summary="it happens, but 500 is answered, stored and replayed"),
    "in_progress_409": Kind(
        stage=INSTEAD, summary="409 idempotency_key_in_use, as if the first request still ran", times=2
    ),
    "rate_limited_429": Kind(
        stage=INSTEAD, summary="429 with Retry-After; nothing happens", params={"retry_after": 1}
    ),
    "outage": Kind(
        stage=INSTEAD, summary="503, or with mode=close no answer at all", params={"mode": "503"}, times=3
    ),
    "key_forgotten": Kind(
        stage=RECORD,
        summary="it happens, the answer is lost and the key is forgotten: the same POST would do it again",
        params={"answer": "lost"},
    ),
    "wrong_amount": Kind(
        stage=OBJECT, summary="answers and webhooks show another amount", params={"difference": 1}
    ),
    "wrong_currency": Kind(stage=OBJECT, summary="answers and webhooks show another currency"),
    "wrong_reference": Kind(
        stage=OBJECT, summary="answers and webhooks show another reference", params={"reference": ""}
    ),
    "slow_review": Kind(stage=OBJECT, summary="in_review for days", params={"seconds": 5 * 86400}),
    "async_flip": Kind(stage=OBJECT, summary="first processing (pending), then declined (failed)"),
    "async_flip_after_success": Kind(
        stage=OBJECT,
        summary="first succeeded (paid), later declined (failed, returned), the money goes back",
        params={"seconds": 2},
    ),
    "webhook_lost": Kind(stage=WEBHOOK, summary="the event is never delivered"),
    "webhook_late": Kind(stage=WEBHOOK, summary="the event is delivered late", params={"seconds": 5}),
    "webhook_duplicate": Kind(
        stage=WEBHOOK, summary="the event is delivered several times", params={"copies": 3}
    ),
    "webhook_reordered": Kind(
        stage=WEBHOOK,
        summary="earlier events of an object arrive after later ones",
        params={"step_seconds": 0.5},
    ),
    "webhook_forged": Kind(
        stage=WEBHOOK,
        summary="besides the event come forged ones that claim success: another's secret, unsigned, signed long ago",
        params={"variants": ["wrong_secret", "unsigned", "stale"]},
    ),
}

_TOKEN = re.compile(r"(?:tok|pm)_fault_(?P<kind>\w+?)(?:_on_(?P<operation>capture|cancel|refund))?")


@dataclass(frozen=True, slots=True)
class TokenFault:
    """What a `tok_fault_...` asks for."""

    fault: Fault
    operation: str
    """charge, capture, cancel or refund."""

    @property
    def stage(self) -> str:
        """When it strikes."""
        return KINDS[self.fault.kind].stage


def of_token(token: str) -> TokenFault | None:
    """The fault that a token stands for; None for any other token and for unknown kinds."""
    match = _TOKEN.fullmatch(token)
    if match is None or match["kind"] not in KINDS:
        return None
    kind = match["kind"]
    return TokenFault(Fault(kind, dict(KINDS[kind].params)), match["operation"] or "charge")


def strike_token(db: sqlite3.Connection, token_fault: TokenFault, *, scope: str) -> bool:
    """Whether the fault strikes now; within one scope it does so a limited number of times. Counts it."""
    kind = token_fault.fault.kind
    row = db.execute(
        "INSERT INTO fault_firings (scope, times) VALUES (?, 1) ON CONFLICT (scope) DO UPDATE SET times = times + 1"
        " RETURNING times",
        (f"{kind} {token_fault.operation} {scope}",),
    ).fetchone()
    if row[0] > KINDS[kind].times:
        return False
    count(db, kind)
    return True


def count(db: sqlite3.Connection, kind: str) -> None:
    """Note that a fault of this kind struck."""
    db.execute(
        "INSERT INTO fault_counts (kind, fired) VALUES (?, 1) ON CONFLICT (kind) DO UPDATE SET fired = fired + 1",
        (kind,),
    )


def add_rule(
    db: sqlite3.Connection,
    *,
    kind: str,
    operation: str,
    times: int | None,
    rate: float | None,
    seed: str,
    until: float | None,
    params: dict[str, Any],
) -> str:
    """Keep a rule; returns its id."""
    identifier = new_id("fault")
    db.execute(
        "INSERT INTO fault_rules (id, kind, operation, remaining, rate, seed, until, params)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (identifier, kind, operation, times, rate, seed, until, json.dumps(params)),
    )
    return identifier


def any_rules(db: sqlite3.Connection) -> bool:
    """Whether a rule exists that may still strike."""
    found = db.execute(
        "SELECT 1 FROM fault_rules WHERE remaining IS NULL OR remaining > 0 LIMIT 1"
    ).fetchone()
    return found is not None


def draw(db: sqlite3.Connection, *, operation: str, stage: str, now: float) -> list[Fault]:
    """The faults of this stage that strike this request or event; of those that replace it or its answer, the first."""
    struck: list[Fault] = []
    rules = db.execute(
        "SELECT * FROM fault_rules WHERE remaining IS NULL OR remaining > 0 ORDER BY seq"
    ).fetchall()
    for rule in rules:
        kind = KINDS[rule["kind"]]
        if kind.stage != stage or not fnmatchcase(operation, rule["operation"]):
            continue
        if rule["until"] is not None and now >= rule["until"]:
            continue
        strikes = rule["rate"] is None or _chance(rule["seed"], rule["kind"], rule["draws"]) < rule["rate"]
        db.execute(
            "UPDATE fault_rules SET draws = draws + 1, fired = fired + ?,"
            " remaining = CASE WHEN ? THEN remaining - 1 ELSE remaining END WHERE seq = ?",
            (int(strikes), int(strikes), rule["seq"]),
        )
        if not strikes:
            continue
        count(db, rule["kind"])
        struck.append(Fault(rule["kind"], {**kind.params, **json.loads(rule["params"])}))
        if stage in (INSTEAD, ANSWER, RECORD):
            break
    return struck


def _chance(seed: str, kind: str, draw_number: int) -> float:
    """A number in [0, 1) that depends on nothing but its arguments, so that a run can be repeated."""
    digest = sha256(f"{seed}:{kind}:{draw_number}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64


def report(db: sqlite3.Connection) -> dict[str, Any]:
    """The rules, and how often each kind struck, by rules and by tokens."""
    rules = [
        {
            "id": row["id"],
            "kind": row["kind"],
            "operation": row["operation"],
            "count": row["remaining"],
            "rate": row["rate"],
            "seed": row["seed"],
            "until": row["until"],
            "fired": row["fired"],
            "params": json.loads(row["params"]),
        }
        for row in db.execute("SELECT * FROM fault_rules ORDER BY seq")
    ]
    fired = {row["kind"]: row["fired"] for row in db.execute("SELECT * FROM fault_counts ORDER BY kind")}
    kinds = {
        name: {"stage": kind.stage, "summary": kind.summary, "params": kind.params}
        for name, kind in KINDS.items()
    }
    return {"object": "faults", "rules": rules, "fired": fired, "kinds": kinds}


def to_json(faults: list[Fault]) -> str:
    """How faults are kept with the object that they concern."""
    return json.dumps([[fault.kind, fault.params] for fault in faults]) if faults else "[]"


def from_json(text: str) -> list[Fault]:
    """The inverse of `to_json`."""
    return [Fault(kind, params) for kind, params in json.loads(text)] if text != "[]" else []


def shown_instead(faults: list[Fault]) -> dict[str, Any]:
    """What the faults of an object make it show in place of the truth; see `disguise`."""
    shown: dict[str, Any] = {}
    for fault in faults:
        if fault.kind == "wrong_amount":
            shown["difference"] = fault.params["difference"]
        elif fault.kind == "wrong_currency":
            shown["currency"] = True
        elif fault.kind == "wrong_reference":
            shown["reference"] = fault.params["reference"] or new_id("somebody")
    return shown


def disguise(view: dict[str, Any], shown: dict[str, Any], *, amounts: tuple[str, ...]) -> dict[str, Any]:
    """The object as its faults want it told. The books always tell the truth."""
    if not shown:
        return view
    told = dict(view)
    for name in amounts:
        if "difference" in shown and told[name]:
            told[name] += shown["difference"]
    if "currency" in shown:
        told["currency"] = "EUR" if view["currency"] != "EUR" else "USD"
    if "reference" in shown:
        told["reference"] = shown["reference"]
    return told
