"""What must hold of money that goes back, as questions that must find nothing; joined to those of `invariants`."""

from payments.services.invariant_question import Question

REFUND_QUESTIONS = (
    Question(
        3,
        "what is refunded of a late success is at most what the attempt took for it",
        """
        SELECT r.id FROM payments_refund r
        WHERE r.reason = 'late_success' AND r.amount > coalesce((
            SELECT sum(p.amount) FROM ledger_entry e JOIN ledger_posting p ON p.entry_id = e.id AND p.amount > 0
            WHERE e.reference = 'unapplied:' || r.attempt_id || ':' || r.order_id
        ), 0)
        """,
    ),
    Question(
        6,
        "every refund that succeeded has its fact, with the same amount and currency",
        """
        SELECT r.id FROM payments_refund r
        WHERE r.status = 'SUCCEEDED' AND NOT EXISTS (
            SELECT FROM payments_fact f
            WHERE f.refund_id = r.id AND f.outcome = 'succeeded' AND f.verdict = 'applied'
              AND f.amount = r.amount AND f.currency = r.currency
        )
        """,
    ),
    Question(
        9,
        "a refund that is under way has a call that is due or dead",
        """
        SELECT r.id FROM payments_refund r
        WHERE r.status IN ('REQUESTED', 'EXECUTING') AND NOT EXISTS (
            SELECT FROM payments_operationtry t
            WHERE t.refund_id = r.id AND (t.next_try_at IS NOT NULL OR t.dead_at IS NOT NULL)
        )
        """,
    ),
    Question(
        17,
        "unapplied receipts are what was taken too late and not promised back",
        """
        SELECT a.code FROM ledger_account a
        LEFT JOIN ledger_posting p ON p.account_id = a.id
        WHERE a.code LIKE 'unapplied_receipts:%%'
        GROUP BY a.code, a.currency
        HAVING -coalesce(sum(p.amount), 0) <> (
            SELECT coalesce(sum(p.amount), 0) FROM ledger_entry e
            JOIN ledger_posting p ON p.entry_id = e.id AND p.amount > 0
            JOIN ledger_account r ON r.id = p.account_id AND r.currency = a.currency
            JOIN payments_paymentattempt t ON t.id::text = split_part(e.reference, ':', 2) AND t.captured > 0
            WHERE e.kind = 'unapplied_receipt'
        ) - (
            SELECT coalesce(sum(amount), 0) FROM payments_refund
            WHERE reason = 'late_success' AND currency = a.currency
        )
        """,
    ),
    Question(
        17,
        "refunds payable are the refunds that buyers have not got",
        """
        SELECT a.code FROM ledger_account a
        LEFT JOIN ledger_posting p ON p.account_id = a.id
        WHERE a.code LIKE 'refunds_payable:%%'
        GROUP BY a.code, a.currency
        HAVING -coalesce(sum(p.amount), 0) <> (
            SELECT coalesce(sum(amount), 0) FROM payments_refund
            WHERE status <> 'SUCCEEDED' AND currency = a.currency
        )
        """,
    ),
    Question(
        17,
        "what PSPs owe us is what they took, less what they sent back",
        """
        SELECT a.code FROM ledger_account a
        LEFT JOIN ledger_posting p ON p.account_id = a.id
        WHERE a.code LIKE 'psp_receivable:%%'
        GROUP BY a.code
        HAVING coalesce(sum(p.amount), 0) <> (
            SELECT coalesce(sum(t.captured), 0) FROM payments_paymentattempt t
            WHERE a.code = 'psp_receivable:' || t.psp_account || ':' || t.currency
        ) - (
            SELECT coalesce(sum(r.amount), 0)
            FROM payments_refund r JOIN payments_paymentattempt t ON t.id = r.attempt_id
            WHERE r.status = 'SUCCEEDED'
              AND a.code = 'psp_receivable:' || t.psp_account || ':' || t.currency
        )
        """,
    ),
)
