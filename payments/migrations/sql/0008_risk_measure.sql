-- The risk rules in force, each with what the database knows about one payment, in one round trip. Reached only through
-- payments.risk.signals, which also evaluates what is found here.
--
-- `measured` holds, for velocity rules, what came before within the window (a count, or a sum as text); for lists, the
-- subjects under which the payment stands on them; for sanctions, the names that fit; for other kinds, nothing.
--
-- READ COMMITTED is assumed: each statement here sees what was committed while the lock before it was waited for, so of
-- payments that share a subject each counts the others. Plans must be index look-ups, whatever the statistics say when a
-- session first makes them: hence the settings.

CREATE FUNCTION payments_risk_measure(
    this_event uuid, at_now timestamptz,
    this_buyer text, this_email_domain text, this_ip text,
    buyer_key bigint, email_domain_key bigint, ip_key bigint,
    this_digests text[], this_words varchar[], most_counted bigint, recent_decisions bigint, most_names bigint
) RETURNS TABLE (
    name text, kind text, subject text, parameters jsonb, reach interval, currency text, action text, measured jsonb
) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    rule payments_riskrule%ROWTYPE;
    cards text[] := '{}';
    since timestamptz;
    counted bigint;
    summed numeric;
BEGIN
    -- In one order for everybody, so that two payments that share two subjects do not deadlock. Cards are known by buyer.
    PERFORM pg_advisory_xact_lock(wanted.key) FROM (
        SELECT DISTINCT CASE r.subject
            WHEN 'buyer' THEN buyer_key
            WHEN 'card_fingerprint' THEN buyer_key
            WHEN 'email_domain' THEN email_domain_key
            WHEN 'ip' THEN ip_key
        END AS key
        FROM payments_riskrule r WHERE r.enabled AND r.kind IN ('velocity_count', 'velocity_amount')
        ORDER BY key OFFSET 0
    ) AS wanted WHERE wanted.key IS NOT NULL;

    -- Cards are not looked for when nobody asks about them.
    IF this_buyer <> '' AND (
        EXISTS (SELECT FROM payments_riskrule r WHERE r.enabled AND r.subject = 'card_fingerprint')
        OR EXISTS (
            SELECT FROM payments_risklistentry e
            WHERE e.kind IN ('block', 'allow') AND e.subject = 'card_fingerprint'
        )
    ) THEN
        cards := ARRAY(
            SELECT DISTINCT a.card_digest FROM (
                SELECT d.event_id FROM payments_riskdecision d
                WHERE d.buyer_digest = this_buyer AND d.buyer_digest <> ''
                ORDER BY d.at DESC LIMIT recent_decisions
            ) AS recent
            JOIN payments_paymentattempt a ON a.event_id = recent.event_id
            WHERE a.card_digest <> ''
        );
    END IF;

    FOR rule IN SELECT * FROM payments_riskrule r WHERE r.enabled ORDER BY r.priority, r.name LOOP
        measured := NULL;
        since := at_now - rule."window";
        IF rule.kind = 'velocity_count' THEN
            counted := NULL;
            CASE rule.subject
                WHEN 'buyer' THEN
                    SELECT count(*) INTO counted FROM (
                        SELECT FROM payments_riskdecision d
                        WHERE d.buyer_digest = this_buyer AND d.buyer_digest <> '' AND d.at > since
                        LIMIT most_counted
                    ) AS before;
                WHEN 'email_domain' THEN
                    SELECT count(*) INTO counted FROM (
                        SELECT FROM payments_riskdecision d
                        WHERE d.email_domain_digest = this_email_domain AND d.email_domain_digest <> ''
                          AND d.at > since
                        LIMIT most_counted
                    ) AS before;
                WHEN 'ip' THEN
                    SELECT count(*) INTO counted FROM (
                        SELECT FROM payments_riskdecision d
                        WHERE d.ip_digest = this_ip AND d.ip_digest <> '' AND d.at > since
                        LIMIT most_counted
                    ) AS before;
                WHEN 'card_fingerprint' THEN
                    SELECT coalesce(max(used.times), 0) INTO counted
                    FROM unnest(cards) AS card (digest) CROSS JOIN LATERAL (
                        SELECT count(*) AS times FROM (
                            SELECT FROM payments_paymentattempt a
                            WHERE a.card_digest = card.digest AND a.card_digest <> '' AND a.created_at > since
                            LIMIT most_counted
                        ) AS before
                    ) AS used;
                ELSE NULL;
            END CASE;
            measured := to_jsonb(counted);
        ELSIF rule.kind = 'velocity_amount' THEN
            summed := NULL;
            CASE rule.subject
                WHEN 'buyer' THEN
                    SELECT coalesce(sum(o.amount), 0) INTO summed FROM payments_paymentorder o
                    JOIN (
                        SELECT DISTINCT d.event_id FROM payments_riskdecision d
                        WHERE d.buyer_digest = this_buyer AND d.buyer_digest <> '' AND d.at > since
                    ) AS before ON before.event_id = o.event_id
                    WHERE o.currency = rule.currency AND o.status <> 'FAILED' AND o.event_id <> this_event;
                WHEN 'email_domain' THEN
                    SELECT coalesce(sum(o.amount), 0) INTO summed FROM payments_paymentorder o
                    JOIN (
                        SELECT DISTINCT d.event_id FROM payments_riskdecision d
                        WHERE d.email_domain_digest = this_email_domain AND d.email_domain_digest <> ''
                          AND d.at > since
                    ) AS before ON before.event_id = o.event_id
                    WHERE o.currency = rule.currency AND o.status <> 'FAILED' AND o.event_id <> this_event;
                WHEN 'ip' THEN
                    SELECT coalesce(sum(o.amount), 0) INTO summed FROM payments_paymentorder o
                    JOIN (
                        SELECT DISTINCT d.event_id FROM payments_riskdecision d
                        WHERE d.ip_digest = this_ip AND d.ip_digest <> '' AND d.at > since
                    ) AS before ON before.event_id = o.event_id
                    WHERE o.currency = rule.currency AND o.status <> 'FAILED' AND o.event_id <> this_event;
                WHEN 'card_fingerprint' THEN
                    SELECT coalesce(max(used.amount), 0) INTO summed
                    FROM unnest(cards) AS card (digest) CROSS JOIN LATERAL (
                        SELECT sum(a.amount) AS amount FROM payments_paymentattempt a
                        WHERE a.card_digest = card.digest AND a.card_digest <> '' AND a.created_at > since
                          AND a.currency = rule.currency AND a.status NOT IN ('DECLINED', 'CANCELED', 'EXPIRED')
                    ) AS used;
                ELSE NULL;
            END CASE;
            measured := to_jsonb(summed::text);
        ELSIF rule.kind IN ('block_list', 'allow_list') THEN
            SELECT jsonb_agg(DISTINCT e.subject) INTO measured FROM payments_risklistentry e
            WHERE e.digest = ANY(this_digests || cards)
              AND e.kind = CASE rule.kind WHEN 'block_list' THEN 'block' ELSE 'allow' END
              AND (rule.subject = '' OR rule.subject = e.subject)
              AND (e.expires_at IS NULL OR e.expires_at > at_now);
        ELSIF rule.kind = 'sanctions_name' AND cardinality(this_words) > 0 THEN
            SELECT jsonb_agg(fitting.label) INTO measured FROM (
                SELECT e.label FROM payments_risklistentry e
                WHERE e.kind = 'sanctions' AND e.tokens <@ this_words
                  AND (e.tokens @> this_words
                    -- One word alone is too common to be found inside a longer name.
                    OR (cardinality(e.tokens) > 1 AND rule.parameters ->> 'match' IS DISTINCT FROM 'exact'))
                  AND (e.expires_at IS NULL OR e.expires_at > at_now)
                ORDER BY e.label LIMIT most_names
            ) AS fitting;
        END IF;
        name := rule.name;
        kind := rule.kind;
        subject := rule.subject;
        parameters := rule.parameters;
        reach := rule."window";
        currency := rule.currency;
        action := rule.action;
        RETURN NEXT;
    END LOOP;
END $$;
