-- What the database itself refuses, whoever is asking; and how balances follow from postings.
--
-- An entry and all its postings arrive in one SQL statement (a WITH that inserts into both). So the statement-level
-- triggers below see every entry whole, once, as a set: that is cheaper than a look at each row at commit.

CREATE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ledger: % of % is refused; a correction is another entry', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER ledger_entry_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entry
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();

CREATE TRIGGER ledger_posting_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_posting
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();


-- Postings: complete, balanced, in running order; and they move the balances.

CREATE FUNCTION ledger_postings_added() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    incomplete bigint; unsteady bigint; overtaken bigint; low bigint;
BEGIN
    WITH legs AS MATERIALIZED (
        -- OFFSET 0 keeps this a look-up by key for each leg, whatever the statistics said when it was planned.
        SELECT p.entry_id, p.line, p.account_id, p.amount, p.balance_after,
               a.currency, a.is_exact, a.balance, a.floor, a.normal_side
          FROM added p CROSS JOIN LATERAL
               (SELECT currency, policy = 'exact' AS is_exact, balance, floor, normal_side
                  FROM ledger_account WHERE id = p.account_id OFFSET 0) a
    ), moved AS (
        SELECT account_id, is_exact, sum(amount) AS amount, min(balance) + sum(amount) AS expected
          FROM legs GROUP BY account_id, is_exact
    ), folded AS (
        UPDATE ledger_account a SET balance = a.balance + moved.amount
          FROM moved WHERE a.id = moved.account_id AND moved.is_exact
        RETURNING a.id, a.balance <> moved.expected AS moved_meanwhile
    ), queued AS (
        INSERT INTO ledger_tail (account_id, amount)
        SELECT account_id, amount FROM moved WHERE NOT is_exact AND amount <> 0
    )
    SELECT
        -- Lines 1 to n, all here: with the primary key (entry, line), nothing can be added to an older entry.
        (SELECT entry_id
           FROM (SELECT entry_id, sum(amount) AS total, count(*) AS legs, min(line) AS first, max(line) AS last
                   FROM legs GROUP BY entry_id, currency) per_currency
          GROUP BY entry_id
         HAVING bool_or(total <> 0) OR sum(legs) < 2 OR min(first) <> 1 OR max(last) <> sum(legs)
          LIMIT 1),
        (SELECT id FROM folded WHERE moved_meanwhile LIMIT 1),
        running.unsteady, running.low
      FROM (SELECT min(entry_id) FILTER (WHERE balance_after IS DISTINCT FROM expected) AS unsteady,
                   min(entry_id) FILTER (WHERE balance_after * normal_side < floor
                                           AND amount * normal_side < 0) AS low
              FROM (SELECT entry_id, amount, balance_after, floor, normal_side,
                           CASE WHEN is_exact THEN balance + sum(amount) OVER
                                (PARTITION BY account_id ORDER BY entry_id, line) END AS expected
                      FROM legs) steps) running
      INTO incomplete, overtaken, unsteady, low;

    IF incomplete IS NOT NULL THEN
        RAISE EXCEPTION 'ledger: entry % is not two or more postings, numbered from 1, with sum zero per currency',
            incomplete USING ERRCODE = 'check_violation';
    END IF;
    IF unsteady IS NOT NULL THEN
        RAISE EXCEPTION 'ledger: entry % does not carry the running balance of its exact accounts', unsteady
            USING ERRCODE = 'check_violation';
    END IF;
    IF overtaken IS NOT NULL THEN
        RAISE EXCEPTION 'ledger: account % moved meanwhile; exact accounts are locked before they are posted to',
            overtaken USING ERRCODE = 'serialization_failure';
    END IF;

    -- A floor binds what takes from an account; an entry that gives may leave it below the floor, where it was.
    IF low IS NOT NULL THEN
        SELECT taken.entry_id INTO incomplete
          FROM (SELECT p.entry_id, a.floor, sum(p.amount * a.normal_side) AS change,
                       (array_agg(p.balance_after * a.normal_side ORDER BY p.line DESC))[1] AS left_over
                  FROM added p JOIN ledger_account a ON a.id = p.account_id
                 WHERE a.floor IS NOT NULL
                 GROUP BY p.entry_id, a.id, a.floor) taken
          JOIN ledger_entry e ON e.id = taken.entry_id
         WHERE change < 0 AND left_over < floor AND NOT e.forced
         LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'ledger: entry % takes an account below its floor and is not forced', incomplete
                USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER ledger_postings_added
    AFTER INSERT ON ledger_posting REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_postings_added();


CREATE FUNCTION ledger_entries_added() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    bare bigint;
BEGIN
    SELECT e.id INTO bare
      FROM added e
      LEFT JOIN LATERAL (SELECT p.line FROM ledger_posting p WHERE p.entry_id = e.id AND p.line = 1 OFFSET 0) p ON true
     WHERE p.line IS NULL
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'ledger: entry % came without its postings', bare USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER ledger_entries_added
    AFTER INSERT ON ledger_entry REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_entries_added();


-- Accounts: proved when they are opened and fixed from then on; only `frozen` may be changed by hand, and the balance only
-- by the triggers here. No CHECK and no WHEN stands on this table: PostgreSQL would read them anew for every posting.

CREATE FUNCTION ledger_account_opened() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.currency !~ '^[A-Z]{3}$' OR NEW.normal_side NOT IN (1, -1) OR NEW.policy NOT IN ('exact', 'deferred')
       OR NEW.type NOT IN ('asset', 'liability', 'equity', 'income', 'expense', 'memo') THEN
        RAISE EXCEPTION 'ledger: account % has no such currency, side, policy or type', NEW.code
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.floor IS NOT NULL AND NEW.policy <> 'exact' THEN
        RAISE EXCEPTION 'ledger: account % has a floor, so it must be exact', NEW.code USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.balance <> 0 THEN
        RAISE EXCEPTION 'ledger: account % opens empty; money comes by entries', NEW.code
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER ledger_account_opened
    BEFORE INSERT ON ledger_account FOR EACH ROW EXECUTE FUNCTION ledger_account_opened();

CREATE FUNCTION ledger_refuse_change_of_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ledger: accounts are fixed; only frozen may change, and the balance only through postings'
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER ledger_account_fixed
    BEFORE UPDATE OF id, code, currency, type, policy, normal_side, floor, opened_at ON ledger_account
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change_of_account();

-- Depth 1 is a statement of somebody's own, 2 one of the triggers here.
CREATE FUNCTION ledger_only_by_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() < 2 THEN
        RAISE EXCEPTION 'ledger: % of % by hand is refused; balances follow postings', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER ledger_account_balance_follows
    BEFORE UPDATE OF balance ON ledger_account
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_only_by_trigger();

CREATE TRIGGER ledger_account_kept
    BEFORE DELETE OR TRUNCATE ON ledger_account
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();


-- The tail: written when postings arrive, folded when deleted. So balance plus tail never changes by a roll-up.

CREATE FUNCTION ledger_tail_folded() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Roll-ups that run side by side lock in the same order.
    PERFORM FROM ledger_account WHERE id IN (SELECT account_id FROM folded) ORDER BY id FOR NO KEY UPDATE;
    UPDATE ledger_account a SET balance = a.balance + moved.amount
      FROM (SELECT account_id, sum(amount) AS amount FROM folded GROUP BY account_id) moved
     WHERE a.id = moved.account_id;
    RETURN NULL;
END $$;

CREATE TRIGGER ledger_tail_folded
    AFTER DELETE ON ledger_tail REFERENCING OLD TABLE AS folded
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_tail_folded();

CREATE TRIGGER ledger_tail_fixed
    BEFORE UPDATE OR TRUNCATE ON ledger_tail
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();

CREATE TRIGGER ledger_tail_follows
    BEFORE INSERT ON ledger_tail
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_only_by_trigger();


-- Balances are updated in place by every entry: leave room on the page, so that no index is touched.
ALTER TABLE ledger_account SET (fillfactor = 50);
-- The tail is a queue: many rows come and go.
ALTER TABLE ledger_tail SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
