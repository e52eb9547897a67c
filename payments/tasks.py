"""The only code that calls a PSP or a shop. A task carries no data: it claims what is due and works until nothing is.

Any task may run twice, late, or never; the rows make that harmless.
"""

import time
from datetime import timedelta

import structlog
from celery import shared_task
from django.conf import settings

from ledger import clock
from ledger.boundary import boundary
from payments.bell import (
    BELLS,
    DELIVERIES,
    EXPIRIES,
    INBOUND_WEBHOOKS,
    PSP_CALLS,
    REMOVALS,
    RISK_CHECKS,
)
from payments.facts import apply_fact
from payments.models import FactSource, InboundWebhook, Operation, Verdict
from payments.outbound import sending
from payments.outbound.signing import signed_headers
from payments.outbound.targets import TargetRefused, read_target
from payments.psp.base import (
    ChargeRequest,
    InboundEvent,
    Outcome,
    Psp,
    PspError,
    PspHasNothing,
    PspNotReached,
    PspRefused,
    QueryRequest,
    RefundRequest,
    Report,
    Subject,
)
from payments.psp.registry import adapter
from payments.risk.provider import RiskProviderFailed
from payments.risk.registry import risk_provider
from payments.services import calls, delivering, expiry, inbound, removals, risk_checks

log = structlog.get_logger(__name__)

MOST_BATCHES = 200
"""How long one task may go on, so that a restart of its worker never waits long."""

WEBHOOKS_AT_ONCE = 20


@shared_task(name=BELLS[PSP_CALLS].task, ignore_result=True)
def call_psps() -> None:
    """Make the due calls to PSPs, one at a time: a slow PSP keeps one thread busy, not a batch of rows."""
    for _ in range(MOST_BATCHES):
        claims = calls.claim_calls(limit=1)
        if not claims:
            return
        for claim in claims:
            _work(claim)


def _work(claim: calls.Claim) -> None:
    """One call and, where its answer says so, the next."""
    call = calls.begin(claim)
    while call is not None:
        call = _perform(call)


def _perform(call: calls.Call) -> calls.Call | None:
    """Say one thing to a PSP and write down what came of it; returns what to say next, if anything."""
    name = f"{call.psp_account}:{call.operation}"
    try:
        boundary(f"psp:send:{name}")
        if clock.now() >= call.lease_end:
            return None  # This process slept: the call belongs to whoever claims it next.
        report = _say(adapter(call.psp_account), call)
        boundary(f"psp:received:{name}")
    except PspNotReached as error:
        calls.record_not_reached(
            call.claim,
            error_class=error.code or error.error_class,
            detail=error.detail,
            retry_after_seconds=error.retry_after_seconds,
        )
        return None
    except PspHasNothing:
        return calls.after_query(call.claim, found=False)
    except PspRefused as error:
        if call.is_query:  # A refused question tells nothing about what we asked about.
            calls.record_doubt(call.claim, error_class=error.error_class, detail=error.detail)
            return None
        report = _refusal(call, error)
    except Exception as error:  # Whatever went wrong after the request may have left: we do not know.
        if not isinstance(error, PspError):
            log.exception("psp_call_failed", subject_id=str(call.subject_id), call=name)
        calls.record_doubt(
            call.claim, error_class=getattr(error, "error_class", type(error).__name__), detail=str(error)
        )
        return None
    fact = apply_fact(
        psp_account=call.psp_account,
        source=FactSource.QUERY if call.is_query else FactSource.ANSWER,
        report=report,
        about=call.subject_id,
    )
    if fact.verdict == Verdict.CONTRADICTS:
        # The PSP answered about something else than we asked: what became of ours is not known.
        calls.record_doubt(call.claim, error_class="contradiction", detail=fact.reason)
        return None
    return calls.after_query(call.claim, found=True) if call.is_query else None


def _say(psp: Psp, call: calls.Call) -> Report:
    match call.request:
        case ChargeRequest():
            return psp.charge(call.request)
        case QueryRequest():
            return psp.query(call.request)
        case RefundRequest():
            return psp.query_refund(call.request) if call.is_query else psp.refund(call.request)
    match call.operation:
        case Operation.CONFIRM:
            return psp.confirm(call.request)
        case Operation.CAPTURE:
            return psp.capture(call.request)
        case Operation.CANCEL:
            return psp.cancel(call.request)
    raise AssertionError(f"nobody knows how to {call.operation}")


def _refusal(call: calls.Call, error: PspRefused) -> Report:
    outcomes = {Operation.CAPTURE: Outcome.CAPTURE_REFUSED, Operation.CANCEL: Outcome.CANCEL_REFUSED}
    return Report(
        outcome=outcomes.get(Operation(call.operation), Outcome.REFUSED),
        dedup_key=f"{call.claim.try_id}:refused",
        reference=str(call.subject_id),
        subject=Subject.REFUND if call.operation == Operation.REFUND else Subject.PAYMENT,
        decline_code=error.code,
        raw={"detail": error.detail},
    )


@shared_task(name=BELLS[INBOUND_WEBHOOKS].task, ignore_result=True)
def handle_webhooks() -> None:
    """Turn stored webhooks into facts."""
    for _ in range(MOST_BATCHES):
        webhooks = inbound.claim_webhooks(limit=WEBHOOKS_AT_ONCE)
        for webhook in webhooks:
            try:
                _handle(webhook)
            except Exception as error:
                log.exception("webhook_failed", webhook_id=str(webhook.id))
                inbound.record_failed(webhook, error_class=type(error).__name__, detail=str(error))
        if len(webhooks) < WEBHOOKS_AT_ONCE:
            return


def _handle(webhook: InboundWebhook) -> None:
    event = InboundEvent(dedup_key=webhook.dedup_key, event_type=webhook.event_type, body=bytes(webhook.body))
    reports = adapter(webhook.psp_account).interpret(event)
    if reports is None:
        inbound.record_parked(webhook.id)
        return
    for report in reports:
        apply_fact(psp_account=webhook.psp_account, source=FactSource.WEBHOOK, report=report)
    inbound.record_handled(webhook.id)


@shared_task(name=BELLS[EXPIRIES].task, ignore_result=True)
def expire_checkouts() -> None:
    """Close checkouts whose time is over."""
    while expiry.close_finished(limit=1000) == 1000:
        pass
    for event_id in expiry.due_checkouts(limit=500):
        try:
            expiry.expire_checkout(event_id)
        except Exception:  # One checkout that cannot be closed must not keep the others open.
            log.exception("expiry_failed", event_id=str(event_id))


@shared_task(name=BELLS[RISK_CHECKS].task, ignore_result=True)
def check_risks() -> None:
    """Ask the outside risk provider about the payments that wait for its answer."""
    for _ in range(MOST_BATCHES):
        claims = risk_checks.claim_checks(limit=1)
        if not claims:
            return
        for claim in claims:
            _ask_about_risk(claim)


def _ask_about_risk(claim: risk_checks.RiskClaim) -> None:
    question = risk_checks.begin_question(claim)
    if question is None:
        return
    name = risk_checks.provider_name()
    try:
        boundary(f"risk:send:{name}")
        answer = risk_provider().score(question)
        boundary(f"risk:received:{name}")
    except Exception as error:  # Whatever it was, there is no answer; no money depends on which it was.
        if not isinstance(error, RiskProviderFailed):
            log.exception("risk_question_failed", check_id=str(claim.check_id))
        risk_checks.record_no_answer(claim, detail=str(error))
        return
    risk_checks.record_answer(claim, answer)


@shared_task(name=BELLS[DELIVERIES].task, ignore_result=True)
def deliver_webhooks() -> None:
    """Send the due webhooks to the shops, one at a time: a slow shop keeps one thread busy, not a batch of rows."""
    for _ in range(MOST_BATCHES):
        parcel = delivering.claim_delivery()
        if parcel is None:
            return
        delivering.record_call(parcel, _send(parcel))


def _send(parcel: delivering.Parcel) -> delivering.Call:
    """One call to a shop's endpoint, and what came of it."""
    started_at, started = clock.now(), time.monotonic()
    answer: sending.Answer | None = None
    error_class = detail = ""
    try:
        target = read_target(parcel.url, allow_loopback=settings.WEBHOOKS_ALLOW_LOOPBACK)
        headers = signed_headers(
            message_id=parcel.message_id, at=started_at, body=parcel.body, secrets_now=parcel.secrets
        )
        boundary("shop:send:webhook")
        answer = sending.post(
            target,
            body=parcel.body.encode(),
            headers=headers,
            allow_loopback=settings.WEBHOOKS_ALLOW_LOOPBACK,
        )
        boundary("shop:received:webhook")
    except TargetRefused as error:  # The rules have changed since it was registered.
        error_class, detail = "address_refused", str(error)
    except sending.NotAnswered as error:
        error_class, detail = error.error_class, error.detail
    except Exception as error:  # A bug of ours must not keep the shop's other news waiting.
        log.exception("webhook_not_sent", delivery_id=parcel.message_id)
        error_class, detail = type(error).__name__[:40], "an error on our side"
    return delivering.Call(
        started_at=started_at,
        duration=timedelta(seconds=time.monotonic() - started),
        response_code=answer.status if answer else None,
        error_class=error_class,
        detail=detail,
        retry_after_seconds=answer.retry_after_seconds if answer else None,
    )


@shared_task(name=BELLS[REMOVALS].task, ignore_result=True)
def remove_old_news() -> None:
    """Remove news that were delivered long ago."""
    removals.remove_old_news()
