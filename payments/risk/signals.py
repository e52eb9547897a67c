"""The rules in force, each with what the database knows about this payment: one round trip, whatever the rules.

Two payments of one buyer at the same moment would not see each other and both pass a limit that only one may pass. So a
payment that a velocity rule may stop first takes an advisory lock on its subjects, held until its transaction ends; what
it then counts includes all that was committed before. Nobody waits while no velocity rule is on. The function that does
this is in `payments/migrations/sql`: in the database, because only what the rules in force need is looked up, with plans
that are made once.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from payments.models import RiskKind, RiskRule
from payments.risk.parameters import MOST_COUNTED
from payments.risk.subjects import Subjects

RECENT_DECISIONS = 20
"""Cards of a buyer: those that their last so many payments used."""

MOST_NAMES = 10
"""Sanctioned names that one reason lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One rule in force and what was found for it."""

    name: str
    kind: str
    subject: str
    parameters: Mapping[str, Any]
    window: timedelta | None
    currency: str
    action: str
    found: Any
    """Velocity: the count, or the sum as text, of what came before. Lists: what matched. Other kinds: nothing."""


def measure(
    *, event_id: UUID, subjects: Subjects, name_tokens: Sequence[str], now: datetime
) -> Sequence[Measured]:
    """The rules in force in their order, each measured for this payment. Runs inside the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT name, kind, subject, parameters, reach, currency, action, measured FROM payments_risk_measure(
                %s, %s, %s, %s, %s, %s, %s, %s, %s::text[], %s::varchar[], %s, %s, %s
            )
            """,
            [
                event_id,
                now,
                subjects.buyer,
                subjects.email_domain,
                subjects.ip,
                _lock_key(subjects.buyer),
                _lock_key(subjects.email_domain),
                _lock_key(subjects.ip),
                subjects.listed,
                list(name_tokens),
                MOST_COUNTED + 1,
                RECENT_DECISIONS,
                MOST_NAMES,
            ],
        )
        return [
            Measured(
                name=name,
                kind=kind,
                subject=subject,
                parameters=_read(parameters),
                window=window,
                currency=currency,
                action=action,
                found=_read(found),
            )
            for name, kind, subject, parameters, window, currency, action, found in cursor.fetchall()
        ]


def score_rules() -> Sequence[Measured]:
    """The rules in force that say what an outside score means."""
    return [
        Measured(
            name=rule.name,
            kind=rule.kind,
            subject=rule.subject,
            parameters=rule.parameters,
            window=rule.window,
            currency=rule.currency,
            action=rule.action,
            found=None,
        )
        for rule in RiskRule.objects.filter(enabled=True, kind=RiskKind.OUTSIDE_SCORE)
    ]


def _lock_key(digest: str) -> int | None:
    """64 bits of a digest, signed, as PostgreSQL numbers its advisory locks; nothing to lock without a digest."""
    return int.from_bytes(bytes.fromhex(digest)[:8], signed=True) if digest else None


def _read(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
