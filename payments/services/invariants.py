"""What must hold at any moment, as questions to the database that must find nothing.

The numbers are those of the list in `docs/reliability.md`. Each question runs in the caller's snapshot and names the
rows that break it.
"""

from collections.abc import Iterator
from datetime import timedelta

from django.db import connection

from ledger import clock
from ledger.services import Violation
from payments.services.delivery_invariants import DELIVERY_QUESTIONS
from payments.services.invariant_question import Question
from payments.services.refund_invariants import REFUND_QUESTIONS
from payments.services.risk_invariants import RISK_QUESTIONS
from payments.states import ATTEMPT_EDGES, ORDER_EDGES, REFUND_EDGES, Edges, pairs

LONGEST_OPEN = timedelta(days=7)
"""How long an order may wait for anybody without a person being told."""

OVERDUE = timedelta(minutes=5)
"""How late a due row may be before somebody must look."""

RECENT = timedelta(days=1)
"""How far back the questions look that would otherwise read all news ever sent."""

MOST_ROWS = 20
"""Rows named per question."""


QUESTIONS = (
    Question(
        4,
        "an order is SUCCESS if and only if it has capture entries",
        """
        SELECT o.id FROM payments_paymentorder o
        WHERE (o.status = 'SUCCESS') <> EXISTS (
            SELECT FROM ledger_entry e JOIN payments_attemptline l ON l.order_id = o.id
            WHERE e.reference = 'capture:' || l.attempt_id || ':' || o.id || ':1'
        )
        """,
    ),
    Question(
        4,
        "what an order captured is what its capture entries took from the PSP",
        """
        SELECT o.id FROM payments_paymentorder o
        LEFT JOIN payments_attemptline l ON l.order_id = o.id
        LEFT JOIN ledger_entry e ON e.reference = 'capture:' || l.attempt_id || ':' || o.id || ':1'
        LEFT JOIN ledger_posting p ON p.entry_id = e.id AND p.amount > 0
        GROUP BY o.id HAVING o.captured <> coalesce(sum(p.amount), 0)
        """,
    ),
    Question(
        4,
        "an order's capture entry is the entry of its own capture",
        """
        SELECT o.id FROM payments_paymentorder o JOIN ledger_entry e ON e.id = o.capture_entry_id
        WHERE split_part(e.reference, ':', 1) <> 'capture' OR split_part(e.reference, ':', 3) <> o.id::text
        """,
    ),
    Question(
        5,
        "at most one attempt has taken money for an order, beyond what waits in unapplied receipts",
        """
        SELECT l.order_id FROM payments_attemptline l
        JOIN payments_paymentattempt a ON a.id = l.attempt_id AND a.status = 'SUCCEEDED'
        WHERE NOT EXISTS (
            SELECT FROM ledger_entry e WHERE e.reference = 'unapplied:' || a.id || ':' || l.order_id
        )
        GROUP BY l.order_id HAVING count(*) > 1
        """,
    ),
    Question(
        6,
        "every attempt that succeeded has its fact, with the same amount and currency",
        """
        SELECT a.id FROM payments_paymentattempt a
        WHERE a.status = 'SUCCEEDED' AND NOT EXISTS (
            SELECT FROM payments_fact f
            WHERE f.attempt_id = a.id AND f.outcome = 'succeeded' AND f.verdict IN ('applied', 'late')
              AND f.captured = a.captured AND f.currency = a.currency
        )
        """,
    ),
    Question(
        6,
        "every SUCCESS was brought by an attempt that has captured",
        """
        SELECT o.id FROM payments_paymentorder o
        WHERE o.status = 'SUCCESS' AND NOT EXISTS (
            SELECT FROM payments_attemptline l JOIN payments_paymentattempt a ON a.id = l.attempt_id
            WHERE l.order_id = o.id AND a.captured > 0
        )
        """,
    ),
    Question(
        8,
        "no order waits for long without an open discrepancy, review or dead letter that says so",
        """
        SELECT o.id FROM payments_paymentorder o
        WHERE o.status IN ('NOT_STARTED', 'EXECUTING') AND o.created_at < %(longest_open)s AND NOT EXISTS (
            SELECT FROM payments_attemptline l
            LEFT JOIN payments_discrepancy d ON d.attempt_id = l.attempt_id AND d.status = 'OPEN'
            LEFT JOIN payments_operationtry t ON t.attempt_id = l.attempt_id
                AND t.dead_at IS NOT NULL AND t.dead_closed_at IS NULL
            WHERE l.order_id = o.id AND (d.id IS NOT NULL OR t.id IS NOT NULL)
        ) AND NOT EXISTS (
            SELECT FROM payments_riskcheck c WHERE c.event_id = o.event_id AND c.waits_for = 'staff'
        )
        """,
    ),
    Question(
        9,
        "an order that is not final has an attempt or a risk check that may yet end it, or its buyer until it expires",
        """
        SELECT o.id FROM payments_paymentorder o JOIN payments_paymentevent e ON e.id = o.event_id
        WHERE o.status IN ('NOT_STARTED', 'EXECUTING')
          AND NOT (e.buyer_chooses AND e.expiry_due_at IS NOT NULL AND o.pending_reason = 'awaiting_buyer')
          AND NOT EXISTS (SELECT FROM payments_attemptline l WHERE l.order_id = o.id AND l.live)
          AND NOT EXISTS (SELECT FROM payments_riskcheck c WHERE c.event_id = o.event_id AND c.ended_at IS NULL)
        """,
    ),
    Question(
        9,
        "an attempt that may yet take money has a call that is due or dead",
        """
        SELECT a.id FROM payments_paymentattempt a
        WHERE EXISTS (SELECT FROM payments_attemptline l WHERE l.attempt_id = a.id AND l.live)
          AND NOT EXISTS (
            SELECT FROM payments_operationtry t
            WHERE t.attempt_id = a.id AND (t.next_try_at IS NOT NULL OR t.dead_at IS NOT NULL)
        )
        """,
    ),
    Question(
        9,
        "no due call to a PSP is long overdue",
        "SELECT id FROM payments_operationtry WHERE next_try_at < %(overdue)s",
    ),
    Question(
        9,
        "no stored webhook is long overdue",
        "SELECT id FROM payments_inboundwebhook WHERE next_try_at < %(overdue)s",
    ),
    Question(
        9,
        "a line is live exactly while its attempt is",
        """
        SELECT l.id FROM payments_attemptline l JOIN payments_paymentattempt a ON a.id = l.attempt_id
        WHERE l.live <> (a.status IN ('CREATED', 'SENT', 'PENDING', 'AUTHORIZED', 'CAPTURING', 'UNKNOWN'))
        """,
    ),
    Question(
        10,
        "every idempotency key has its answer and names a checkout of its shop",
        """
        SELECT k.id FROM payments_idempotencykey k
        WHERE NOT EXISTS (
            SELECT FROM payments_paymentevent e
            WHERE e.shop_id = k.shop_id AND e.checkout_id = k.answer ->> 'checkout_id'
        )
        """,
    ),
    Question(
        11,
        "every stored webhook is handled, due, parked or dead",
        """
        SELECT id FROM payments_inboundwebhook
        WHERE handled_at IS NULL AND next_try_at IS NULL AND dead_at IS NULL AND NOT parked
        """,
    ),
    Question(
        14,
        "an attempt is the sum of its lines, in one currency",
        """
        SELECT a.id FROM payments_paymentattempt a LEFT JOIN payments_attemptline l ON l.attempt_id = a.id
        GROUP BY a.id
        HAVING a.amount <> coalesce(sum(l.amount), 0) OR bool_or(l.currency <> a.currency)
        """,
    ),
    Question(
        14,
        "an order, its shop and its lines agree on shop and currency",
        """
        SELECT o.id FROM payments_paymentorder o
        JOIN payments_paymentevent e ON e.id = o.event_id
        LEFT JOIN payments_attemptline l ON l.order_id = o.id
        WHERE o.shop_id <> e.shop_id OR l.currency <> o.currency OR l.amount > o.amount
        """,
    ),
    Question(
        17,
        "what an attempt captured is what its entries took from the PSP",
        """
        SELECT a.id FROM payments_paymentattempt a
        LEFT JOIN payments_attemptline l ON l.attempt_id = a.id
        LEFT JOIN ledger_entry e ON e.reference IN (
            'capture:' || a.id || ':' || l.order_id || ':1', 'unapplied:' || a.id || ':' || l.order_id
        )
        LEFT JOIN ledger_posting p ON p.entry_id = e.id AND p.amount > 0
        GROUP BY a.id HAVING a.captured <> coalesce(sum(p.amount), 0)
        """,
    ),
    Question(
        17,
        "what is in doubt is what the calls whose answer was lost are about",
        """
        SELECT a.code FROM ledger_account a
        LEFT JOIN ledger_posting p ON p.account_id = a.id
        WHERE a.code LIKE 'in_doubt:%%'
        GROUP BY a.code, a.currency
        HAVING coalesce(sum(p.amount), 0) <> (
            SELECT coalesce(sum(t.amount), 0) FROM payments_operationtry t
            WHERE t.status = 'UNKNOWN' AND t.operation <> 'cancel' AND t.currency = a.currency
        )
        """,
    ),
)


def violations() -> Iterator[Violation]:
    """Every violation in the caller's snapshot."""
    now = clock.now()
    parameters = {
        "longest_open": now - LONGEST_OPEN,
        "overdue": now - OVERDUE,
        "recent": now - RECENT,
    }
    with connection.cursor() as cursor:
        for question in (*QUESTIONS, *REFUND_QUESTIONS, *RISK_QUESTIONS, *DELIVERY_QUESTIONS):
            cursor.execute(f"{question.sql} LIMIT {MOST_ROWS}", parameters)
            rows = [str(row[0]) for row in cursor.fetchall()]
            if rows:
                yield Violation(invariant=question.invariant, message=question.message, rows=rows)
    yield from _broken_histories("paymentorder", "payments_paymentorder", ORDER_EDGES, "NOT_STARTED")
    yield from _broken_histories("paymentattempt", "payments_paymentattempt", ATTEMPT_EDGES, "CREATED")
    yield from _broken_histories("refund", "payments_refund", REFUND_EDGES, "REQUESTED")


def _broken_histories(object_type: str, table: str, edges: Edges, start: str) -> Iterator[Violation]:
    """Invariant 12: a history is a path of the graph from its start, and the state is its last step."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH step AS (
                SELECT object_id, from_state, to_state,
                    lag(to_state, 1, %(start)s) OVER (PARTITION BY object_id ORDER BY id) AS before,
                    row_number() OVER (PARTITION BY object_id ORDER BY id DESC) AS from_the_end
                FROM payments_statehistory WHERE object_type = %(object_type)s
            )
            SELECT object_id FROM step
            WHERE from_state <> before OR from_state || ':' || to_state <> ALL (%(edges)s)
            UNION
            SELECT o.id FROM {table} o LEFT JOIN step s ON s.object_id = o.id AND s.from_the_end = 1
            WHERE o.status <> coalesce(s.to_state, %(start)s)
            LIMIT {MOST_ROWS}
            """,  # noqa: S608
            {
                "object_type": object_type,
                "start": start,
                "edges": [f"{source}:{target}" for source, target in pairs(edges)],
            },
        )
        rows = [str(row[0]) for row in cursor.fetchall()]
    if rows:
        yield Violation(
            invariant=12, message=f"the history of each {object_type} leads to its state", rows=rows
        )
