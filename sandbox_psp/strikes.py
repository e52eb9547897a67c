"""Which faults strike a request: those of its token and those of the rules in force."""

import sqlite3
from dataclasses import dataclass, field

from sandbox_psp import faults
from sandbox_psp.api import Route
from sandbox_psp.http import Request
from sandbox_psp.sandbox import Sandbox
from sandbox_psp.work import Fault

_TOKEN_OPERATIONS = {
    "payments.create": "charge",
    "payments.confirm": "charge",
    "payments.capture": "capture",
    "payments.cancel": "cancel",
    "refunds.create": "refund",
}


@dataclass(slots=True)
class Strikes:
    """At most one fault that replaces the request, its answer or its record; any number that change what is done."""

    instead: Fault | None = None
    answer: Fault | None = None
    record: Fault | None = None
    object: list[Fault] = field(default_factory=list)

    def add(self, fault: Fault) -> None:
        """Put a fault where it belongs; the first of a stage wins."""
        stage = faults.KINDS[fault.kind].stage
        if stage in (faults.OBJECT, faults.WEBHOOK):
            self.object.append(fault)
        elif getattr(self, stage) is None:
            setattr(self, stage, fault)


def strikes_for(sandbox: Sandbox, route: Route, request: Request, key: str) -> Strikes:
    """Draw and count the faults for this request."""
    strikes = Strikes()
    token_fault = _token_fault(sandbox, route, request)
    if token_fault is None and not sandbox.rules:
        return strikes
    with sandbox.store.write() as db:
        if sandbox.rules:
            _strike_by_rules(db, strikes, operation=route.operation, now=sandbox.now())
        if token_fault is not None:
            _strike_by_token(db, strikes, token_fault, request, key)
    return strikes


def _strike_by_rules(db: sqlite3.Connection, strikes: Strikes, *, operation: str, now: float) -> None:
    for stage in (faults.INSTEAD, faults.RECORD, faults.ANSWER, faults.OBJECT):
        for fault in faults.draw(db, operation=operation, stage=stage, now=now):
            strikes.add(fault)
        if strikes.instead is not None:
            return


def _strike_by_token(
    db: sqlite3.Connection, strikes: Strikes, token_fault: faults.TokenFault, request: Request, key: str
) -> None:
    if token_fault.stage == faults.WEBHOOK:
        # Counted with each event that it spoils.
        strikes.add(token_fault.fault)
        return
    scope = key or f"{request.path} {request.body.get('reference', '')}"
    if faults.strike_token(db, token_fault, scope=scope):
        strikes.add(token_fault.fault)


def _token_fault(sandbox: Sandbox, route: Route, request: Request) -> faults.TokenFault | None:
    """The fault that the payment's token asks for at this operation."""
    operation = _TOKEN_OPERATIONS.get(route.operation)
    if operation is None:
        return None
    token = _token(sandbox, route, request)
    token_fault = faults.of_token(token) if "_fault_" in token else None
    if token_fault is None or token_fault.operation != operation:
        return None
    waits = route.operation == "payments.create" and request.body.get("confirm") is False
    told_wrongly = token_fault.stage in (faults.OBJECT, faults.WEBHOOK)
    if waits and not told_wrongly:
        # It is the confirmation that takes the money, so that is where the fault lies.
        return None
    if route.operation == "payments.confirm" and told_wrongly:
        return None
    return token_fault


def _token(sandbox: Sandbox, route: Route, request: Request) -> str:
    if route.operation == "payments.create":
        token = request.body.get("source")
        return token if isinstance(token, str) else ""
    payment_id = request.ids[0] if request.ids else request.body.get("payment")
    with sandbox.store.read() as db:
        row = db.execute("SELECT source FROM payments WHERE id = ?", (str(payment_id),)).fetchone()
    return str(row["source"]) if row else ""
