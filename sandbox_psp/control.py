"""`/v1/control`: what a test may do that no merchant can. It changes the world, never the records of it."""

import time
from dataclasses import asdict, fields
from typing import Any

from sandbox_psp import charging, disputes, faults, issuer, payment
from sandbox_psp.cards import BY_NAME, Card
from sandbox_psp.config import Timing
from sandbox_psp.errors import ApiError
from sandbox_psp.fields import Fields
from sandbox_psp.http import Request, Response, answer
from sandbox_psp.sandbox import Sandbox
from sandbox_psp.work import Work


class Control:
    """The handlers; they need the sandbox itself, not only its rows."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def review(self, work: Work, request: Request) -> Response:
        """Decide a payment that is in review: `{"decision": "approve" | "reject"}`."""
        fields_ = request.fields
        decision = fields_.choice("decision", ("approve", "reject"))
        fields_.end()
        charge = payment.load(work, request.ids[0])
        charging.end_review(work, charge, approved=decision == "approve")
        return answer(200, payment.view(work, charge))

    def advance(self, work: Work, request: Request) -> Response:
        """Let a payment that is processing come to its outcome now."""
        request.fields.end()
        charge = payment.load(work, request.ids[0])
        charging.end_processing(work, charge)
        return answer(200, payment.view(work, charge))

    def challenge(self, work: Work, request: Request) -> Response:
        """Do what the cardholder would do on the 3-D Secure page: `{"result": "approve" | "fail"}`."""
        fields_ = request.fields
        result = fields_.choice("result", ("approve", "fail"))
        fields_.end()
        charge = payment.load(work, request.ids[0])
        charging.finish_challenge(work, charge, approved=result == "approve")
        return answer(200, payment.view(work, charge))

    def expire(self, work: Work, request: Request) -> Response:
        """Let a hold or an unfinished payment run out now."""
        request.fields.end()
        charge = payment.load(work, request.ids[0])
        if charge.status not in ("requires_confirmation", "requires_action", "in_review", "authorized"):
            raise ApiError(f"It is {charge.status}.", code="payment_unexpected_state")
        charging.release(work, charge, status="expired")
        return answer(200, payment.view(work, charge))

    def dispute(self, work: Work, request: Request) -> Response:
        """Let the cardholder complain: `{"amount"?, "reason"?, "kind"?: dispute | inquiry | return}`."""
        fields_ = request.fields
        charge = payment.load(work, request.ids[0])
        wanted = fields_.amount("amount", None)
        reason = fields_.choice("reason", disputes.REASONS, "fraudulent")
        kind = fields_.choice("kind", ("dispute", "inquiry", "return"), "dispute")
        fields_.end()
        left = charge.amount_captured - charge.amount_disputed
        amount = left if wanted is None else wanted
        if not 0 < amount <= left:
            raise ApiError(f"Only {left} of it can be disputed.", code="amount_too_large", param="amount")
        identifier = disputes.open_dispute(work, charge, amount=amount, reason=reason, kind=kind)
        return answer(201, disputes.view(work, disputes.load(work, identifier)))

    def decide_dispute(self, work: Work, request: Request) -> Response:
        """End a dispute: `{"outcome": "won" | "lost"}`."""
        fields_ = request.fields
        outcome = fields_.choice("outcome", ("won", "lost"))
        fields_.end()
        disputes.close(work, request.ids[0], won=outcome == "won")
        return answer(200, disputes.view(work, disputes.load(work, request.ids[0])))

    def card(self, work: Work, request: Request) -> Response:
        """Change what the issuer knows: `{"card": "visa", "currency"?, "balance"?, "limit"?, "status"?}`."""
        fields_ = request.fields
        name = fields_.text("card")
        currency = fields_.currency("currency", None)
        balance = fields_.integer("balance", None, least=0, most=10**17)
        limit = fields_.integer("limit", None, least=0, most=10**17)
        status = fields_.text("status", None, longest=2)
        fields_.end()
        if balance is not None and currency is None:
            raise ApiError("A balance needs its currency.", code="parameter_missing", param="currency")
        changed = issuer.change_card(
            work, card=_card(name), currency=currency, balance=balance, limit=limit, status=status
        )
        return answer(200, changed)

    def settings(self, work: Work, request: Request) -> Response:
        """Change delays while running; without a body, read them. Kept over restarts."""
        fields_ = request.fields
        changes = {}
        for setting in fields(Timing):
            value = fields_.number(setting.name, None)
            if value is not None:
                changes[setting.name] = value
        fields_.end()
        self._sandbox.change_settings(work, changes)
        return answer(200, {"object": "settings", **asdict(self._sandbox.timing)})

    def clock(self, work: Work, request: Request) -> Response:
        """Move the sandbox's clock forward: `{"advance_seconds": 604800}` lets holds expire. Webhooks keep real time."""
        fields_ = request.fields
        seconds = fields_.number("advance_seconds", 0.0, most=10 * 365 * 86400)
        fields_.end()
        self._sandbox.change_settings(work, {"clock_offset": self._sandbox.clock_offset + seconds})
        return answer(200, {"object": "clock", "now": int(self._sandbox.now())})

    def redeliver(self, work: Work, request: Request) -> Response:
        """Deliver an event again (`{"event": "evt_..."}`), or without a body all that were given up."""
        fields_ = request.fields
        event = fields_.text("event", None)
        fields_.end()
        due = time.time()
        if event is None:
            cursor = work.db.execute(
                "UPDATE deliveries SET status = 'waiting', attempts = 0, next_at = ? WHERE status = 'given_up'",
                (due,),
            )
        else:
            cursor = work.db.execute(
                "INSERT INTO deliveries (event, object, signing, next_at)"
                " SELECT id, object, 'genuine', ? FROM events WHERE id = ?",
                (due, event),
            )
        work.emitted = True
        return answer(200, {"object": "redelivery", "queued": cursor.rowcount})

    def add_fault(self, work: Work, request: Request) -> Response:
        """Make a rule: `{"kind", "operation"?, "count"? | "rate"? + "seed"?, "seconds"?, ...parameters of the kind}`."""
        fields_ = request.fields
        name = fields_.choice("kind", tuple(faults.KINDS))
        kind = faults.KINDS[name]
        default = "*" if name == "outage" or kind.stage == faults.WEBHOOK else "payments.create"
        operation = fields_.text("operation", default)
        times = fields_.integer("count", None, least=1, most=10**9)
        rate = fields_.number("rate", None, most=1)
        seed = fields_.word("seed", "0")
        # A kind that has its own `seconds` (how late, how long) means those; for all others they are the rule's life.
        life = fields_.number("seconds", None) if "seconds" not in kind.params else None
        params = self._params(fields_, kind)
        if times is None and rate is None and life is None:
            times = 1
        identifier = faults.add_rule(
            work.db,
            kind=name,
            operation=operation,
            times=times,
            rate=rate,
            seed=seed,
            until=None if life is None else work.now + life,
            params=params,
        )
        self._sandbox.rules = True
        return answer(
            201, {"id": identifier, "object": "fault", "kind": name, "operation": operation, "count": times}
        )

    @staticmethod
    def _params(fields_: Fields, kind: faults.Kind) -> dict[str, Any]:
        given = fields_.rest()
        for name, value in given.items():
            if name not in kind.params:
                raise fields_.refusal(name, "is not a parameter of this fault", code="parameter_unknown")
            expected = kind.params[name]
            numeric = expected is None or (
                isinstance(expected, int | float) and not isinstance(expected, bool)
            )
            fits = isinstance(value, int | float) if numeric else isinstance(value, type(expected))
            if not fits or isinstance(value, bool):
                raise fields_.refusal(name, f"must be like {expected!r}")
        return given

    def read_faults(self, work: Work, request: Request) -> Response:
        """The rules, and how often each kind struck."""
        return answer(200, faults.report(work.db))

    def clear_faults(self, work: Work, request: Request) -> Response:
        """Take all rules away; what they did, and the counts, stay."""
        work.db.execute("DELETE FROM fault_rules")
        self._sandbox.rules = False
        return answer(200, faults.report(work.db))


def _card(name: str) -> Card:
    card = BY_NAME.get(name.removeprefix("tok_").removeprefix("pm_"))
    if card is None:
        raise ApiError(f"No test card {name!r}.", code="card_unknown", param="card")
    return card
