-- What the database itself refuses, whoever is asking; and how balances follow from postings.
--
-- An entry and all its postings arrive in one SQL statement (a WITH that inserts into both). So the statement-level
-- triggers below see every entry whole, once, as a set: that is cheaper than a look at each row at commit.

-- The functions here look accounts up by primary key, whatever the statistics say when a session first plans them:
-- a plan made while the tables were small would scan them when they are large.

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


-- Postings: complete, balanced, in running order; then they move the balances.

CREATE FUNCTION ledger_postings_added() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    culprit bigint;
BEGIN
    -- Lines 1 to n, all in this statement: with the primary key (entry, line) nothing can be added to an older entry.
    SELECT entry_id INTO culprit
      FROM (SELECT p.entry_id, a.currency, sum(p.amount) AS total, count(*) AS legs,
                   min(p.line) AS lowest, max(p.line) AS highest
              FROM added p JOIN ledger_account a ON a.id = p.account_id
             GROUP BY p.entry_id, a.currency) per_currency
     GROUP BY entry_id
    HAVING bool_or(total <> 0) OR sum(legs) < 2 OR min(lowest) <> 1 OR max(highest) <> sum(legs)
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'ledger: entry % is not at least two postings, numbered from 1, with sum zero per currency', culprit
            USING ERRCODE = 'check_violation';
    END IF;

    -- The update takes the locks and sees the newest balances; so whatever is proved after it is proved for good.
    WITH moved AS (
        SELECT p.account_id, a.policy, sum(p.amount) AS amount
          FROM added p JOIN ledger_account a ON a.id = p.account_id
         GROUP BY p.account_id, a.policy
    ), folded AS (
        UPDATE ledger_account a SET balance = a.balance + moved.amount
          FROM moved WHERE a.id = moved.account_id AND moved.policy = 'exact'
    )
    INSERT INTO ledger_tail (account_id, amount)
    SELECT account_id, amount FROM moved WHERE policy = 'deferred' AND amount <> 0;

    SELECT entry_id INTO culprit
      FROM (SELECT p.entry_id, p.balance_after,
                   CASE a.policy WHEN 'exact' THEN
                       a.balance - sum(p.amount) OVER whole + sum(p.amount) OVER so_far
                   END AS expected
              FROM added p JOIN ledger_account a ON a.id = p.account_id
            WINDOW whole AS (PARTITION BY p.account_id),
                   so_far AS (PARTITION BY p.account_id ORDER BY p.entry_id, p.line)) running
     WHERE balance_after IS DISTINCT FROM expected
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'ledger: entry % does not carry the running balance of its exact accounts', culprit
            USING ERRCODE = 'check_violation';
    END IF;

    -- A floor binds what takes from an account; an entry that gives may leave it below the floor where it was.
    IF EXISTS (SELECT FROM added p JOIN ledger_account a ON a.id = p.account_id
                WHERE p.amount * a.normal_side < 0 AND p.balance_after * a.normal_side < a.floor) THEN
        SELECT taken.entry_id INTO culprit
          FROM (SELECT p.entry_id, a.floor, sum(p.amount * a.normal_side) AS change,
                       (array_agg(p.balance_after * a.normal_side ORDER BY p.line DESC))[1] AS left_over
                  FROM added p JOIN ledger_account a ON a.id = p.account_id
                 WHERE a.floor IS NOT NULL
                 GROUP BY p.entry_id, a.id, a.floor) taken
          JOIN ledger_entry e ON e.id = taken.entry_id
         WHERE change < 0 AND left_over < floor AND NOT e.forced
         LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'ledger: entry % takes an account below its floor and is not forced', culprit
                USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER ledger_postings_added
    AFTER INSERT ON ledger_posting REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_postings_added();


CREATE FUNCTION ledger_entries_added() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    culprit bigint;
BEGIN
    SELECT e.id INTO culprit FROM added e
     WHERE NOT EXISTS (SELECT FROM ledger_posting p WHERE p.entry_id = e.id AND p.line = 1)
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'ledger: entry % came without its postings', culprit USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER ledger_entries_added
    AFTER INSERT ON ledger_entry REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_entries_added();


-- Accounts: only `frozen` may be changed by hand; the balance only by the triggers here.

CREATE FUNCTION ledger_refuse_account_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ledger: account % is fixed; only frozen may change, and the balance only through postings', OLD.code
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER ledger_account_fixed
    BEFORE UPDATE ON ledger_account FOR EACH ROW
    WHEN ((OLD.id, OLD.code, OLD.currency, OLD.type, OLD.policy, OLD.normal_side, OLD.floor, OLD.opened_at)
          IS DISTINCT FROM
          (NEW.id, NEW.code, NEW.currency, NEW.type, NEW.policy, NEW.normal_side, NEW.floor, NEW.opened_at))
    EXECUTE FUNCTION ledger_refuse_account_change();

CREATE TRIGGER ledger_account_balance_follows
    BEFORE UPDATE ON ledger_account FOR EACH ROW
    WHEN (OLD.balance IS DISTINCT FROM NEW.balance AND pg_trigger_depth() = 0)
    EXECUTE FUNCTION ledger_refuse_account_change();

CREATE TRIGGER ledger_account_kept
    BEFORE DELETE OR TRUNCATE ON ledger_account
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();

CREATE FUNCTION ledger_refuse_opening_balance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ledger: account % opens empty; money comes by entries', NEW.code
        USING ERRCODE = 'check_violation';
END $$;

CREATE TRIGGER ledger_account_opens_empty
    BEFORE INSERT ON ledger_account FOR EACH ROW
    WHEN (NEW.balance <> 0) EXECUTE FUNCTION ledger_refuse_opening_balance();


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
    FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION ledger_refuse_change();


-- Balances are updated in place by every entry: leave room on the page, so that no index is touched.
ALTER TABLE ledger_account SET (fillfactor = 50);
-- The tail is a queue: many rows come and go.
ALTER TABLE ledger_tail SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
