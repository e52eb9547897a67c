"""Facts and discrepancies as rows."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from ledger import clock
from payments.facts.judgement import Judgement
from payments.models import Discrepancy, DiscrepancyKind, Fact, PaymentAttempt, Refund, Verdict
from payments.psp.base import Outcome, Report, Subject

CODE_LENGTH = 60
"""Of a decline code: a failure code of ours, which has a word before it, must hold it."""


def storable(report: Report) -> Report:
    """The report in words that the database can hold: a true fact is never refused for how a PSP spells it."""
    return replace(
        report,
        dedup_key=_text(report.dedup_key)[:255],
        reference=_text(report.reference),
        psp_reference=_text(report.psp_reference)[:255],
        decline_code=_text(report.decline_code)[:CODE_LENGTH],
        raw=_texts(dict(report.raw)),
    )


def _text(text: str) -> str:
    """Without what PostgreSQL refuses: NUL, and halves of surrogate pairs."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def _texts(content: Any) -> Any:
    if isinstance(content, str):
        return _text(content)
    if isinstance(content, Mapping):
        return {_text(str(name)): _texts(item) for name, item in content.items()}
    return [_texts(item) for item in content] if isinstance(content, list | tuple) else content


def new_fact(
    psp_account: str,
    source: str,
    report: Report,
    *,
    now: datetime,
    attempt: PaymentAttempt | None,
    judgement: Judgement,
    refund: Refund | None = None,
) -> Fact:
    """The row of a judged report; the caller stores it."""
    captured = report.captured
    if captured is None and report.outcome == Outcome.SUCCEEDED and report.subject is Subject.PAYMENT:
        captured = report.amount
    return Fact(
        psp_account=psp_account,
        source=source,
        dedup_key=report.dedup_key,
        attempt=attempt,
        refund=refund,
        outcome=report.outcome.value,
        psp_reference=report.psp_reference,
        amount=report.amount,  # type: ignore[misc]  # the stubs know no column that may be null
        captured=captured,
        occurred_at=report.occurred_at or now,
        verdict=judgement.verdict,
        reason=judgement.reason,
        raw=dict(report.raw),
        created_at=now,
    )


def store_unknown(psp_account: str, source: str, report: Report) -> Fact:
    """News of something that we never asked for: kept, and a person is told."""
    judgement = Judgement(
        Verdict.UNKNOWN_OBJECT, f"no {report.subject} of ours is {report.reference or report.psp_reference}"
    )
    fact = new_fact(psp_account, source, report, now=clock.now(), attempt=None, judgement=judgement)
    stored = Fact.objects.bulk_create([fact], ignore_conflicts=True)[0]
    found = Fact.objects.get(psp_account=psp_account, source=source, dedup_key=report.dedup_key)
    if found.id == stored.id:
        raise_discrepancy(found, DiscrepancyKind.UNKNOWN_OBJECT)
    return found


def raise_discrepancy(fact: Fact, kind: DiscrepancyKind) -> None:
    """Tell a person; it moves no money by itself."""
    Discrepancy.objects.create(
        kind=kind, psp_account=fact.psp_account, attempt=fact.attempt, fact=fact, detail=fact.reason
    )
