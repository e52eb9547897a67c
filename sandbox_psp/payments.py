"""`/v1/payments`: create, confirm, capture, cancel, read."""

from typing import Any

from sandbox_psp import charging, errors, payment, tokens
from sandbox_psp.http import Request, Response, answer
from sandbox_psp.ids import new_id
from sandbox_psp.payment import Payment
from sandbox_psp.work import Work


def create(work: Work, request: Request) -> Response:
    """Make a payment, and unless `confirm` is false take the money."""
    fields = request.fields
    amount = fields.amount()
    currency = fields.currency()
    token = fields.text("source")
    capture = fields.flag("capture", True)
    confirm = fields.flag("confirm", True)
    reference = fields.text("reference", "")
    return_url = fields.address("return_url")
    description = fields.text("description", "", longest=500)
    metadata = fields.metadata()
    fields.end()
    identifier = new_id("pay")
    source = tokens.resolve(work, token, payment_id=identifier)
    charge = Payment(
        id=identifier,
        amount=amount,
        currency=currency,
        capture=capture,
        reference=reference,
        description=description,
        return_url=return_url,
        metadata=metadata,
        source=token,
        number=source.number,
        exp_month=source.exp_month,
        exp_year=source.exp_year,
        scheme=source.scheme.name,
        created=work.now,
        updated=work.now,
    )
    payment.attach_faults(charge, work.faults)
    if confirm:
        charging.confirm(work, charge)
    else:
        payment.save(work, charge)
    return _outcome(work, charge, status=201)


def confirm(work: Work, request: Request) -> Response:
    """Take the money of a payment that was made with `confirm: false`."""
    request.fields.end()
    charge = payment.load(work, request.ids[0])
    if charge.status != "requires_confirmation":
        raise _refused(work, charge, "confirmed")
    payment.attach_faults(charge, work.faults)
    charging.confirm(work, charge)
    return _outcome(work, charge, status=200)


def capture(work: Work, request: Request) -> Response:
    """Take what is held, or part of it; with `final: false` the rest stays held for more captures."""
    fields = request.fields
    wanted = fields.amount("amount", None)
    final = fields.flag("final", True)
    reference = fields.text("reference", "")
    fields.end()
    charge = payment.load(work, request.ids[0])
    if charge.status != "authorized":
        raise _refused(work, charge, "captured")
    amount = charge.amount_capturable if wanted is None else wanted
    if amount > charge.amount_capturable:
        raise errors.ApiError(
            f"Only {charge.amount_capturable} of this payment can be captured.",
            code="amount_too_large",
            param="amount",
        )
    payment.attach_faults(charge, work.faults)
    charging.capture(work, charge, amount=amount, reference=reference or charge.reference)
    payment.save(work, charge)
    payment.tell(work, charge, "payment.captured")
    if final or charge.amount_capturable == 0:
        charging.succeed(work, charge)
    return _outcome(work, charge, status=200)


def cancel(work: Work, request: Request) -> Response:
    """Give up a payment; what is held and not captured goes back to the cardholder."""
    fields = request.fields
    fields.text("reason", "")
    fields.end()
    charge = payment.load(work, request.ids[0])
    if charge.status not in ("requires_confirmation", "requires_action", "in_review", "authorized"):
        raise _refused(work, charge, "canceled")
    payment.attach_faults(charge, work.faults)
    charging.release(work, charge, status="canceled")
    return _outcome(work, charge, status=200)


def read(work: Work, request: Request) -> Response:
    """One payment."""
    return answer(200, payment.view(work, payment.load(work, request.ids[0])))


def find(work: Work, request: Request) -> Response:
    """Payments, newest last; `reference` finds the payment whose answer was lost."""
    question = request.question()
    found = payment.find(
        work,
        reference=question.text("reference"),
        after=question.whole("after", 0, most=2**62),
        limit=question.whole("limit", 100, most=1000),
    )
    return answer(200, {"object": "list", "data": [payment.view(work, charge) for charge in found]})


def _outcome(work: Work, charge: Payment, *, status: int) -> Response:
    view = payment.view(work, charge)
    if charge.status != "declined":
        return answer(status, view)
    error = {
        "type": "card_error",
        "code": "card_declined",
        "decline_code": charge.decline_code,
        "network_code": charge.network_code,
        "message": f"The payment was declined: {charge.decline_code}.",
        "param": None,
    }
    return answer(402, {"error": error, "payment": view})


def _refused(work: Work, charge: Payment, wish: str) -> errors.ApiError:
    error = errors.unexpected_state("payment", charge.status, wish)
    extra: dict[str, Any] = {"payment": payment.view(work, charge)}
    error.extra = extra
    return error
