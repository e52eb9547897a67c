"""The rules in force, each with what the database knows about this payment: one round trip, whatever the rules.

Two payments of one buyer at the same moment would not see each other and both pass a limit that only one may pass. So a
payment that a velocity rule may stop first takes an advisory lock on its subjects, held until its transaction ends; the
counting statement after it then sees everything that was committed before. Nobody waits while no velocity rule is on.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from payments.models import RiskKind, RiskRule, RiskSubject
from payments.risk.parameters import MOST_COUNTED
from payments.risk.subjects import Subjects

RECENT_DECISIONS = 20
"""Cards of a buyer: those that their last so many payments used."""


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


_COLUMNS = {
    RiskSubject.BUYER: "buyer_digest",
    RiskSubject.EMAIL_DOMAIN: "email_domain_digest",
    RiskSubject.IP: "ip_digest",
}
"""What decisions of the rules carry, each with an index beside the time."""

_VELOCITY = f"('{RiskKind.VELOCITY_COUNT}', '{RiskKind.VELOCITY_AMOUNT}')"
_CARD = RiskSubject.CARD_FINGERPRINT

# In one order for everybody, so that two payments that share two subjects do not deadlock. Cards are known by buyer.
_LOCK = f"""
    SELECT pg_advisory_xact_lock(wanted.key) FROM (
        SELECT DISTINCT CASE r.subject
            WHEN 'buyer' THEN %(buyer_key)s::bigint
            WHEN '{_CARD}' THEN %(buyer_key)s::bigint
            WHEN 'email_domain' THEN %(email_domain_key)s::bigint
            WHEN 'ip' THEN %(ip_key)s::bigint
        END AS key
        FROM payments_riskrule r WHERE r.enabled AND r.kind IN {_VELOCITY}
        ORDER BY key OFFSET 0
    ) AS wanted WHERE wanted.key IS NOT NULL
"""  # noqa: S608


def _counted(column: str) -> str:
    return f"""
        (SELECT count(*) FROM (
            SELECT FROM payments_riskdecision d
            WHERE d.{column} = %({column})s AND d.{column} <> '' AND d.at > %(now)s - r."window"
            LIMIT {MOST_COUNTED + 1}
        ) AS counted)
    """  # noqa: S608


def _summed(column: str) -> str:
    """What was paid or may yet be, by the checkouts of this subject in the window, in the rule's currency."""
    return f"""
        (SELECT coalesce(sum(o.amount), 0) FROM payments_paymentorder o
         WHERE o.currency = r.currency AND o.status <> 'FAILED' AND o.event_id <> %(event_id)s
           AND o.event_id IN (
            SELECT d.event_id FROM payments_riskdecision d
            WHERE d.{column} = %({column})s AND d.{column} <> '' AND d.at > %(now)s - r."window"
        ))
    """  # noqa: S608


_CARD_COUNTED = f"""
    (SELECT coalesce(max(used.times), 0) FROM card CROSS JOIN LATERAL (
        SELECT count(*) AS times FROM (
            SELECT FROM payments_paymentattempt a
            WHERE a.card_digest = card.card_digest AND a.created_at > %(now)s - r."window"
            LIMIT {MOST_COUNTED + 1}
        ) AS counted
    ) AS used)
"""  # noqa: S608

_CARD_SUMMED = """
    (SELECT coalesce(max(used.amount), 0) FROM card CROSS JOIN LATERAL (
        SELECT sum(a.amount) AS amount FROM payments_paymentattempt a
        WHERE a.card_digest = card.card_digest AND a.created_at > %(now)s - r."window"
          AND a.currency = r.currency AND a.status NOT IN ('DECLINED', 'CANCELED', 'EXPIRED')
    ) AS used)
"""


def _listed(kind: str) -> str:
    """Under which subjects the payment stands on a list."""
    living = f"""
        e.kind = '{kind}' AND (r.subject = '' OR r.subject = e.subject)
        AND (e.expires_at IS NULL OR e.expires_at > %(now)s)
    """
    return f"""
        (SELECT jsonb_agg(DISTINCT hit.subject) FROM (
            SELECT e.subject FROM payments_risklistentry e
            WHERE {living} AND e.subject <> '{_CARD}' AND e.digest = ANY(%(digests)s)
            UNION ALL
            SELECT e.subject FROM card JOIN payments_risklistentry e ON e.digest = card.card_digest
            WHERE {living} AND e.subject = '{_CARD}'
        ) AS hit)
    """  # noqa: S608


def _per_subject(columns: str, card: str) -> str:
    return columns + f" WHEN '{_CARD}' THEN {card}"


_COUNTS = _per_subject("".join(f" WHEN '{s}' THEN {_counted(c)}" for s, c in _COLUMNS.items()), _CARD_COUNTED)
_SUMS = _per_subject("".join(f" WHEN '{s}' THEN {_summed(c)}" for s, c in _COLUMNS.items()), _CARD_SUMMED)

_MEASURE = f"""
    WITH card AS MATERIALIZED (
        SELECT DISTINCT a.card_digest FROM (
            SELECT d.event_id FROM payments_riskdecision d
            WHERE d.buyer_digest = %(buyer_digest)s AND d.buyer_digest <> ''
            ORDER BY d.at DESC LIMIT {RECENT_DECISIONS}
        ) AS recent
        JOIN payments_paymentattempt a ON a.event_id = recent.event_id
        WHERE a.card_digest <> ''
          -- Not looked for when nobody asks about cards.
          AND (EXISTS (SELECT FROM payments_risklistentry WHERE subject = '{_CARD}')
            OR EXISTS (SELECT FROM payments_riskrule WHERE enabled AND subject = '{_CARD}'))
    )
    SELECT r.name, r.kind, r.subject, r.parameters, r."window", r.currency, r.action,
        CASE r.kind
            WHEN '{RiskKind.VELOCITY_COUNT}' THEN to_jsonb(CASE r.subject {_COUNTS} END)
            WHEN '{RiskKind.VELOCITY_AMOUNT}' THEN to_jsonb((CASE r.subject {_SUMS} END)::text)
            WHEN '{RiskKind.BLOCK_LIST}' THEN {_listed("block")}
            WHEN '{RiskKind.ALLOW_LIST}' THEN {_listed("allow")}
            WHEN '{RiskKind.SANCTIONS_NAME}' THEN (
                SELECT jsonb_agg(e.label ORDER BY e.label) FROM payments_risklistentry e
                WHERE e.kind = 'sanctions' AND e.tokens <@ %(tokens)s
                  AND (e.tokens @> %(tokens)s
                    -- One word alone is too common to be found inside a longer name.
                    OR (cardinality(e.tokens) > 1 AND r.parameters ->> 'match' IS DISTINCT FROM 'exact'))
                  AND (e.expires_at IS NULL OR e.expires_at > %(now)s)
            )
        END
    FROM payments_riskrule r WHERE r.enabled ORDER BY r.priority, r.name
"""  # noqa: S608


def measure(
    *, event_id: UUID, subjects: Subjects, name_tokens: Sequence[str], now: datetime
) -> Sequence[Measured]:
    """The rules in force in their order, each measured for this payment. Runs inside the caller's transaction.

    Both statements travel together and each sees what was committed when it began, so the second counts what the lock
    of the first waited for. (Several statements in one need client-side binding, which is Django's default.)
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"{_LOCK};{_MEASURE}",
            {
                "event_id": event_id,
                "now": now,
                "buyer_digest": subjects.buyer,
                "email_domain_digest": subjects.email_domain,
                "ip_digest": subjects.ip,
                "buyer_key": _lock_key(subjects.buyer),
                "email_domain_key": _lock_key(subjects.email_domain),
                "ip_key": _lock_key(subjects.ip),
                "digests": subjects.listed,
                "tokens": list(name_tokens),
            },
        )
        cursor.nextset()
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
