"""How a payment comes to its outcome: risk review, 3-D Secure, processing, authorisation, capture, release."""

from sandbox_psp import acquirer, disputes, errors, payment, timers
from sandbox_psp.ids import new_id
from sandbox_psp.payment import Payment
from sandbox_psp.work import Work


def confirm(work: Work, charge: Payment) -> None:
    """Start taking the money."""
    if charge.card.authentication != "none":
        charge.challenge = new_id("acs")
        payment.step(work, charge, "requires_action")
        timers.schedule(work, kind="action_expires", object_id=charge.id, seconds=work.timing.action_seconds)
    else:
        _proceed(work, charge, authenticated=False)


def finish_challenge(work: Work, charge: Payment, *, approved: bool) -> None:
    """The cardholder answered the issuer's challenge.

    Raises:
        ApiError: the payment does not wait for it (any more).
    """
    if charge.status != "requires_action":
        raise errors.unexpected_state("payment", charge.status, "authenticated")
    if approved and charge.card.authentication != "fails":
        _proceed(work, charge, authenticated=True)
    else:
        _decline(work, charge, decline_code="authentication_failed", network_code=None)


def _proceed(work: Work, charge: Payment, *, authenticated: bool) -> None:
    slow = charge.fault("slow_review")
    if slow or charge.card.review:
        if _authorise(work, charge, authenticated=authenticated):
            payment.step(work, charge, "in_review")
            seconds = float(slow.params["seconds"]) if slow else work.timing.review_seconds
            if seconds:
                timers.schedule(work, kind="review_ends", object_id=charge.id, seconds=seconds)
    elif charge.card.clearing != "at_once" or charge.fault("async_flip"):
        payment.step(work, charge, "processing")
        timers.schedule(
            work, kind="processing_ends", object_id=charge.id, seconds=work.timing.processing_seconds
        )
    else:
        if charge.fault("webhook_reordered"):
            # One event cannot be out of order: this payment tells more of its way than others do.
            payment.step(work, charge, "processing")
        if _authorise(work, charge, authenticated=authenticated):
            _take(work, charge)


def end_processing(work: Work, charge: Payment) -> None:
    """The slow rail has answered.

    Raises:
        ApiError: the payment is not processing.
    """
    if charge.status != "processing":
        raise errors.unexpected_state("payment", charge.status, "advanced")
    if charge.card.clearing == "fails_later" or charge.fault("async_flip"):
        _decline(work, charge, decline_code="insufficient_funds", network_code="51")
    elif _authorise(work, charge, authenticated=False):
        _take(work, charge)


def end_review(work: Work, charge: Payment, *, approved: bool) -> None:
    """Somebody looked at the payment.

    Raises:
        ApiError: the payment is not in review.
    """
    if charge.status != "in_review":
        raise errors.unexpected_state("payment", charge.status, "reviewed")
    if approved:
        _take(work, charge)
    else:
        _release(work, charge)
        _decline(work, charge, decline_code="review_rejected", network_code="59")


def _authorise(work: Work, charge: Payment, *, authenticated: bool) -> bool:
    answer = acquirer.authorise(
        work,
        number=charge.number,
        exp_month=charge.exp_month,
        exp_year=charge.exp_year,
        amount=charge.amount,
        currency=charge.currency,
        authenticated=authenticated,
    )
    charge.rrn = answer.rrn
    if not answer.approved:
        _decline(work, charge, decline_code=answer.decline_code, network_code=answer.network_code)
        return False
    charge.network_code, charge.approval_code = answer.network_code, answer.approval_code
    charge.amount_authorized = charge.amount
    return True


def _take(work: Work, charge: Payment) -> None:
    if charge.capture:
        capture(work, charge, amount=charge.amount_authorized, reference=charge.reference)
        succeed(work, charge)
    else:
        payment.step(work, charge, "authorized")
        timers.schedule(work, kind="hold_expires", object_id=charge.id, seconds=work.timing.hold_seconds)


def _decline(work: Work, charge: Payment, *, decline_code: str, network_code: str | None) -> None:
    charge.decline_code, charge.network_code = decline_code, network_code
    payment.step(work, charge, "declined")


def capture(work: Work, charge: Payment, *, amount: int, reference: str) -> None:
    """Take part or all of what is held; the caller takes the step."""
    if charge.rrn is None:
        raise AssertionError(f"{charge.id} has nothing to capture")
    identifier = new_id("cap")
    fee = acquirer.clear(
        work,
        capture=identifier,
        payment=charge.id,
        reference=reference,
        scheme_name=charge.scheme,
        rrn=charge.rrn,
        amount=amount,
        currency=charge.currency,
    )
    work.db.execute(
        "INSERT INTO captures (id, payment, amount, fee, reference, created) VALUES (?, ?, ?, ?, ?, ?)",
        (identifier, charge.id, amount, fee, reference, work.now),
    )
    charge.amount_captured += amount
    charge.captures += 1


def succeed(work: Work, charge: Payment) -> None:
    """The last capture was made: give back what is left and say so."""
    _release(work, charge)
    payment.step(work, charge, "succeeded")
    if flip := charge.fault("async_flip_after_success"):
        timers.schedule(
            work, kind="success_is_reversed", object_id=charge.id, seconds=float(flip.params["seconds"])
        )
    if charge.card.disputed:
        disputes.open_dispute(
            work, charge, amount=charge.amount_captured, reason="fraudulent", kind="dispute"
        )


def release(work: Work, charge: Payment, *, status: str) -> None:
    """End an authorised or unfinished payment without taking (more) money: `canceled` or `expired`.

    What was captured stays captured: such a payment has succeeded with less than was authorised.
    """
    if charge.amount_captured:
        succeed(work, charge)
        return
    _release(work, charge)
    payment.step(work, charge, status)


def _release(work: Work, charge: Payment) -> None:
    left = charge.amount_authorized - charge.amount_captured
    if left and charge.rrn is not None:
        acquirer.release(work, number=charge.number, amount=left, currency=charge.currency, rrn=charge.rrn)


def reverse_success(work: Work, charge: Payment) -> None:
    """The fault async_flip_after_success: the network takes a finished payment back, fee included."""
    if charge.status != "succeeded" or charge.amount_refunded or charge.amount_disputed:
        return
    for row in work.db.execute("SELECT * FROM captures WHERE payment = ?", (charge.id,)).fetchall():
        acquirer.undo_clearing(
            work,
            capture=row["id"],
            payment=charge.id,
            reference=row["reference"],
            number=charge.number,
            amount=row["amount"],
            fee=row["fee"],
            currency=charge.currency,
        )
    work.db.execute("DELETE FROM captures WHERE payment = ?", (charge.id,))
    charge.amount_captured, charge.captures = 0, 0
    charge.decline_code, charge.network_code = "reversed_by_network", "05"
    payment.step(work, charge, "declined")
