"""What must hold about news and their deliveries at any moment; numbers as in `docs/reliability.md`."""

from payments.services.invariant_question import Question

DELIVERY_QUESTIONS = (
    Question(
        9,
        "every delivery is delivered, due, waiting for an earlier one, or dead",
        """
        SELECT id FROM payments_webhookdelivery WHERE num_nonnulls(next_try_at, delivered_at, dead_at) <> 1
        """,
    ),
    Question(
        9,
        # How late an endpoint that fails or is slow gets its news is its own doing.
        "no due delivery to an endpoint that answers is long overdue, unless it waits for an earlier one",
        """
        SELECT d.id FROM payments_webhookdelivery d
        JOIN payments_webhookendpoint e ON e.id = d.endpoint_id AND e.troubled_since IS NULL
        WHERE d.next_try_at < %(overdue)s AND NOT EXISTS (
            SELECT FROM payments_webhookdelivery earlier
            WHERE earlier.event_id = d.event_id AND earlier.endpoint_id = d.endpoint_id
              AND earlier.outbox_event_id < d.outbox_event_id AND earlier.next_try_at IS NOT NULL
        )
        """,
    ),
    Question(
        9,
        "no news reached an endpoint while earlier news of the same checkout had not, unless somebody had it replayed",
        """
        SELECT d.id FROM payments_webhookdelivery earlier
        JOIN payments_outboxevent later ON later.event_id = earlier.event_id AND later.id > earlier.outbox_event_id
        JOIN payments_webhookdelivery d ON d.outbox_event_id = later.id AND d.endpoint_id = earlier.endpoint_id
        WHERE earlier.next_try_at IS NOT NULL AND earlier.replays = 0 AND d.delivered_at IS NOT NULL
        """,
    ),
    Question(
        9,
        "every news has its delivery for each endpoint that asked for it",
        """
        SELECT o.id FROM payments_outboxevent o
        JOIN payments_paymentevent p ON p.id = o.event_id
        JOIN payments_webhookendpoint e ON e.shop_id = p.shop_id AND e.enabled
         AND (e.event_types = '{}' OR o.event_type = ANY (e.event_types))
        -- Written well after the endpoint last changed; what is older was looked at when it was younger.
        WHERE o.created_at > e.changed_at + interval '5 minutes' AND o.created_at > %(recent)s AND NOT EXISTS (
            SELECT FROM payments_webhookdelivery d WHERE d.outbox_event_id = o.id AND d.endpoint_id = e.id
        )
        """,
    ),
    Question(
        15,
        "no news went to another shop's endpoint",
        """
        SELECT d.id FROM payments_webhookdelivery d
        JOIN payments_outboxevent o ON o.id = d.outbox_event_id
        JOIN payments_paymentevent p ON p.id = o.event_id
        JOIN payments_webhookendpoint e ON e.id = d.endpoint_id
        WHERE d.created_at > %(recent)s AND (e.shop_id <> p.shop_id OR d.event_id <> o.event_id)
        """,
    ),
)
