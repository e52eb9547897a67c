"""What must hold about risk decisions at any moment; numbers as in `docs/reliability.md`."""

from payments.services.invariant_question import Question

RISK_QUESTIONS = (
    Question(
        5,
        "no attempt was made without a risk decision that accepts it",
        """
        SELECT a.id FROM payments_paymentattempt a WHERE NOT EXISTS (
            SELECT FROM payments_riskdecision d
            WHERE d.event_id = a.event_id AND d.outcome = 'accept' AND d.at <= a.created_at
        )
        """,
    ),
    Question(
        5,
        "a checkout that was refused has no order that may yet be paid",
        """
        SELECT o.id FROM payments_paymentorder o
        JOIN payments_riskdecision d ON d.event_id = o.event_id AND d.outcome = 'refuse'
        WHERE o.status IN ('NOT_STARTED', 'EXECUTING')
        """,
    ),
    Question(
        9,
        "an open risk check is about a checkout whose open orders say so",
        """
        SELECT c.id FROM payments_riskcheck c WHERE c.ended_at IS NULL AND NOT EXISTS (
            SELECT FROM payments_paymentorder o
            WHERE o.event_id = c.event_id AND o.status IN ('NOT_STARTED', 'EXECUTING')
              AND o.pending_reason = CASE c.waits_for WHEN 'staff' THEN 'risk_review' ELSE 'risk_check' END
        )
        """,
    ),
    Question(
        9,
        "an order that waits for a risk judgement has a check that is due or in the review queue",
        """
        SELECT o.id FROM payments_paymentorder o
        WHERE o.pending_reason IN ('risk_check', 'risk_review') AND NOT EXISTS (
            SELECT FROM payments_riskcheck c WHERE c.event_id = o.event_id AND c.ended_at IS NULL
        )
        """,
    ),
    Question(
        9,
        "no due question to the risk provider is long overdue",
        "SELECT id FROM payments_riskcheck WHERE next_try_at < %(overdue)s",
    ),
    Question(
        9,
        "an open risk check was begun by the decision that it waits for",
        """
        SELECT c.id FROM payments_riskcheck c WHERE c.ended_at IS NULL AND NOT EXISTS (
            SELECT FROM payments_riskdecision d WHERE d.risk_check_id = c.id
              AND d.outcome = CASE c.waits_for WHEN 'staff' THEN 'review' ELSE 'ask' END
        )
        """,
    ),
    Question(
        18,
        "an ended risk check keeps no token",
        "SELECT id FROM payments_riskcheck WHERE ended_at IS NOT NULL AND token IS NOT NULL",
    ),
)
