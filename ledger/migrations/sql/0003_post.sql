-- The posting kernel: any number of entries in one round trip. Reached only through ledger.services.posting.
--
-- Entries come as parallel arrays, one element per entry; their legs as parallel arrays, one element per leg, grouped by
-- entry (leg_counts says how many belong to each) and pointing into the distinct accounts of the whole batch. Accounts
-- are distinct pairs of code and currency, so that a leg in a wrong currency is the pair's fault.
--
-- Answers arrays of one element per entry: its id; posted, replayed, or the code of the refusal; and the reason. A refused
-- entry leaves nothing behind; the others are posted. When `opening` is set and an account is unknown, nothing is posted
-- and nothing answered: the caller opens what it can and comes again.
--
-- The caller balances its entries; the triggers prove it. READ COMMITTED is assumed: each statement here sees what was
-- committed while the one before it waited. Plans must be index look-ups, whatever the statistics say when a session
-- first makes them: hence the settings, which also hold for the triggers.

CREATE FUNCTION ledger_taken_elsewhere(reference text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    -- The running balances of this batch count on an entry that is not going to be: nothing to do but begin again.
    RAISE EXCEPTION 'ledger: % is being posted elsewhere with other accounts', reference
        USING ERRCODE = 'serialization_failure';
END $$;


CREATE FUNCTION ledger_post(
    entry_references text[], kinds text[], fingerprints bigint[], occurred timestamptz[], descriptions text[],
    forced boolean[], leg_counts int[],
    account_codes text[], account_currencies text[],
    leg_entries int[], leg_accounts int[], leg_amounts numeric[],
    created timestamptz, opening boolean,
    OUT entry_ids bigint[], OUT outcomes text[], OUT reasons text[]
) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off
SET random_page_cost = 0.1
AS $$
#variable_conflict use_column
DECLARE
    entries int := cardinality(entry_references);
    -- Per account of the batch; a balance only for exact ones.
    ids bigint[]; problems text[]; balances numeric[]; floors numeric[]; sides int[];
    troubled boolean;
    -- Per entry.
    known_ids bigint[]; known_fingerprints bigint[]; repeated boolean;
    new_ids bigint[] := array_fill(NULL::bigint, ARRAY[entries]); legs_before int[] := array_fill(0, ARRAY[entries]);
    -- Per leg.
    running numeric[] := array_fill(NULL::numeric, ARRAY[cardinality(leg_accounts)]);

    leg_from int; leg_to int := 0; account int; low boolean; change numeric; earlier int; refusal text; reason text;
    accepted int := 0; written bigint[]; lost bigint[]; winner bigint; content bigint;
BEGIN
    -- Exact accounts are locked in id order, so that no two callers ever wait for each other in a ring. (One that is
    -- opened between these two statements is caught by the trigger if anybody else posts to it as well.)
    PERFORM FROM ledger_account WHERE code = ANY (account_codes) AND policy = 'exact'
      ORDER BY id FOR NO KEY UPDATE;

    SELECT array_agg(id), array_agg(problem), array_agg(balance), array_agg(floor), array_agg(normal_side),
           count(problem) > 0
      INTO ids, problems, balances, floors, sides, troubled
      FROM (SELECT a.id, a.floor, a.normal_side, CASE a.policy WHEN 'exact' THEN a.balance END AS balance,
                   CASE WHEN a.id IS NULL THEN 'unknown_account' WHEN a.currency <> c.currency THEN 'currency_mismatch'
                        WHEN a.frozen THEN 'account_frozen' END AS problem
              FROM unnest(account_codes, account_currencies) WITH ORDINALITY c (code, currency, n)
              LEFT JOIN ledger_account a ON a.code = c.code
             ORDER BY n) in_order;

    IF opening AND troubled AND array_position(problems, 'unknown_account') IS NOT NULL THEN
        RETURN;
    END IF;

    -- After the locks: whoever held them may just have posted the same references.
    SELECT array_agg(id), array_agg(fingerprint)
      INTO known_ids, known_fingerprints
      FROM (SELECT e.id, e.fingerprint
              FROM unnest(entry_references) WITH ORDINALITY r (reference, n)
              LEFT JOIN ledger_entry e ON e.reference = r.reference
             ORDER BY n) in_order;
    repeated := entries > 1 AND (SELECT count(DISTINCT r) < entries FROM unnest(entry_references) r);

    entry_ids := new_ids;
    outcomes := array_fill('posted'::text, ARRAY[entries]);
    reasons := array_fill(NULL::text, ARRAY[entries]);

    -- One entry after the other, as if each had come alone: what is refused must not count for those behind it.
    FOR i IN 1 .. entries LOOP
        leg_from := leg_to + 1;
        leg_to := leg_to + leg_counts[i];

        IF repeated AND known_ids[i] IS NULL THEN
            earlier := array_position(entry_references, entry_references[i]);
            WHILE earlier < i LOOP
                IF new_ids[earlier] IS NOT NULL THEN
                    known_ids[i] := new_ids[earlier];
                    known_fingerprints[i] := fingerprints[earlier];
                    EXIT;
                END IF;
                earlier := array_position(entry_references, entry_references[i], earlier + 1);
            END LOOP;
        END IF;
        IF known_ids[i] IS NOT NULL THEN
            IF known_fingerprints[i] = fingerprints[i] THEN
                entry_ids[i] := known_ids[i];
                outcomes[i] := 'replayed';
            ELSE
                outcomes[i] := 'duplicate';
                reasons[i] := 'taken by entry ' || known_ids[i];
            END IF;
            CONTINUE;
        END IF;

        refusal := NULL;
        IF troubled THEN
            FOR j IN leg_from .. leg_to LOOP
                account := leg_accounts[j];
                -- A forced entry tells a true fact, and freezing an account does not unmake what happened.
                IF problems[account] IS NOT NULL AND NOT (forced[i] AND problems[account] = 'account_frozen') THEN
                    refusal := problems[account];
                    reason := account_codes[account];
                    EXIT;
                END IF;
            END LOOP;
        END IF;
        IF refusal IS NULL THEN
            low := false;
            FOR j IN leg_from .. leg_to LOOP
                account := leg_accounts[j];
                IF balances[account] IS NOT NULL THEN
                    balances[account] := balances[account] + leg_amounts[j];
                    running[j] := balances[account];
                    IF balances[account] * sides[account] < floors[account] THEN
                        low := true;
                    END IF;
                END IF;
            END LOOP;
            IF low AND NOT forced[i] THEN
                -- A floor binds what takes from an account; what gives may leave it below, where it was.
                FOR j IN leg_from .. leg_to LOOP
                    account := leg_accounts[j];
                    IF balances[account] * sides[account] < floors[account] THEN
                        change := 0;
                        FOR k IN leg_from .. leg_to LOOP
                            IF leg_accounts[k] = account THEN
                                change := change + leg_amounts[k];
                            END IF;
                        END LOOP;
                        IF change * sides[account] < 0 THEN
                            refusal := 'below_floor';
                            reason := account_codes[account];
                            EXIT;
                        END IF;
                    END IF;
                END LOOP;
                IF refusal IS NOT NULL THEN
                    FOR j IN leg_from .. leg_to LOOP
                        account := leg_accounts[j];
                        IF balances[account] IS NOT NULL THEN
                            balances[account] := balances[account] - leg_amounts[j];
                        END IF;
                    END LOOP;
                END IF;
            END IF;
        END IF;

        IF refusal IS NULL THEN
            -- Drawn under the locks: on an exact account, the order of ids is the order of postings.
            new_ids[i] := nextval('ledger_entry_id_seq');
            entry_ids[i] := new_ids[i];
            legs_before[i] := leg_from - 1;
            accepted := accepted + 1;
        ELSE
            outcomes[i] := refusal;
            reasons[i] := reason;
        END IF;
    END LOOP;

    IF accepted = 0 THEN
        RETURN;
    END IF;

    -- In order of references, so that two batches with the same ones never wait for each other in a ring. CASE and IN
    -- look the ids up in a hash table; as a join it would be a loop over the whole batch.
    WITH inserted AS (
        INSERT INTO ledger_entry (id, occurred_at, created_at, fingerprint, accounting_date, forced,
                                  reference, kind, description)
        SELECT id, at, created, fingerprint, (at AT TIME ZONE 'UTC')::date, force,
               reference, kind, description
          FROM unnest(new_ids, occurred, forced, fingerprints, entry_references, kinds, descriptions)
               AS n (id, at, force, fingerprint, reference, kind, description)
         WHERE id IS NOT NULL
         ORDER BY reference
        ON CONFLICT (reference) DO NOTHING
        RETURNING id
    ), postings AS (
        INSERT INTO ledger_posting (entry_id, line, account_id, amount, balance_after)
        SELECT new_ids[entry], n - legs_before[entry], ids[account], amount, balance
          FROM unnest(leg_entries, leg_accounts, leg_amounts, running)
               WITH ORDINALITY l (entry, account, amount, balance, n)
         WHERE CASE WHEN new_ids[entry] IN (SELECT id FROM inserted) THEN true
                    WHEN new_ids[entry] IS NULL OR balance IS NULL THEN false
                    ELSE ledger_taken_elsewhere(entry_references[entry]) END
    )
    SELECT array_agg(id) INTO written FROM inserted;

    -- A reference was taken after we looked, by an entry without any exact account of ours, or it would have waited for
    -- our locks: so it has none, or it is another entry, and that has been dealt with above.
    IF accepted > coalesce(cardinality(written), 0) THEN
        lost := ARRAY(SELECT id FROM unnest(new_ids) id WHERE id IS NOT NULL EXCEPT SELECT unnest(written));
        FOR i IN 1 .. entries LOOP
            CONTINUE WHEN (entry_ids[i] = ANY (lost) OR known_ids[i] = ANY (lost)) IS NOT TRUE;
            SELECT id, fingerprint INTO STRICT winner, content
              FROM ledger_entry WHERE reference = entry_references[i];
            IF content = fingerprints[i] THEN
                entry_ids[i] := winner;
                outcomes[i] := 'replayed';
                reasons[i] := NULL;
            ELSE
                entry_ids[i] := NULL;
                outcomes[i] := 'duplicate';
                reasons[i] := 'taken by entry ' || winner;
            END IF;
        END LOOP;
    END IF;
END $$;
