"""The tables. Times are seconds since 1970 by the sandbox's clock; amounts are integer minor units."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS idempotency_keys (
    seq INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, fingerprint TEXT NOT NULL, status INTEGER NOT NULL,
    body BLOB NOT NULL, created REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS idempotency_keys_created ON idempotency_keys (created);

CREATE TABLE IF NOT EXISTS tokens (
    id TEXT PRIMARY KEY, number TEXT NOT NULL, exp_month INTEGER NOT NULL, exp_year INTEGER NOT NULL,
    holder_name TEXT NOT NULL, reusable INTEGER NOT NULL, used_by TEXT, created REAL NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS payments (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, created REAL NOT NULL, updated REAL NOT NULL,
    status TEXT NOT NULL, amount INTEGER NOT NULL CHECK (amount > 0), currency TEXT NOT NULL, capture INTEGER NOT NULL,
    amount_authorized INTEGER NOT NULL DEFAULT 0,
    amount_captured INTEGER NOT NULL DEFAULT 0,
    amount_refunded INTEGER NOT NULL DEFAULT 0,
    amount_disputed INTEGER NOT NULL DEFAULT 0,
    captures INTEGER NOT NULL DEFAULT 0,
    reference TEXT NOT NULL, description TEXT NOT NULL, return_url TEXT NOT NULL, metadata TEXT NOT NULL,
    source TEXT NOT NULL, number TEXT NOT NULL, exp_month INTEGER NOT NULL, exp_year INTEGER NOT NULL,
    scheme TEXT NOT NULL,
    rrn TEXT, approval_code TEXT, decline_code TEXT, network_code TEXT, challenge TEXT,
    faults TEXT NOT NULL DEFAULT '[]', shown TEXT NOT NULL DEFAULT '{}',
    CHECK (amount_captured BETWEEN 0 AND amount_authorized AND amount_authorized <= amount),
    CHECK (amount_refunded BETWEEN 0 AND amount_captured)
);
CREATE INDEX IF NOT EXISTS payments_reference ON payments (reference);
CREATE UNIQUE INDEX IF NOT EXISTS payments_challenge ON payments (challenge) WHERE challenge IS NOT NULL;

CREATE TABLE IF NOT EXISTS captures (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, payment TEXT NOT NULL, amount INTEGER NOT NULL,
    fee INTEGER NOT NULL, reference TEXT NOT NULL, created REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS captures_payment ON captures (payment);

CREATE TABLE IF NOT EXISTS refunds (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, created REAL NOT NULL, updated REAL NOT NULL,
    status TEXT NOT NULL, payment TEXT NOT NULL, amount INTEGER NOT NULL CHECK (amount > 0), currency TEXT NOT NULL,
    reference TEXT NOT NULL, metadata TEXT NOT NULL, failure_code TEXT, network_reference TEXT,
    faults TEXT NOT NULL DEFAULT '[]', shown TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX IF NOT EXISTS refunds_reference ON refunds (reference);
CREATE INDEX IF NOT EXISTS refunds_payment ON refunds (payment);

CREATE TABLE IF NOT EXISTS payouts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, created REAL NOT NULL, updated REAL NOT NULL,
    status TEXT NOT NULL, amount INTEGER NOT NULL CHECK (amount > 0), currency TEXT NOT NULL,
    destination TEXT NOT NULL, reference TEXT NOT NULL, metadata TEXT NOT NULL, failure_code TEXT, trace_id TEXT NOT NULL,
    faults TEXT NOT NULL DEFAULT '[]', shown TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX IF NOT EXISTS payouts_reference ON payouts (reference);

CREATE TABLE IF NOT EXISTS disputes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, created REAL NOT NULL, updated REAL NOT NULL,
    status TEXT NOT NULL, kind TEXT NOT NULL, reason TEXT NOT NULL, payment TEXT NOT NULL, amount INTEGER NOT NULL,
    fee INTEGER NOT NULL, currency TEXT NOT NULL, evidence TEXT NOT NULL, due_by REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS disputes_payment ON disputes (payment);

CREATE TABLE IF NOT EXISTS balance_items (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, source TEXT NOT NULL,
    payment TEXT, reference TEXT NOT NULL, currency TEXT NOT NULL, gross INTEGER NOT NULL, fee INTEGER NOT NULL,
    net INTEGER NOT NULL, created REAL NOT NULL, available_on REAL NOT NULL, settled INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS balance_items_open ON balance_items (available_on) WHERE settled = 0;

CREATE TABLE IF NOT EXISTS holds (
    rrn TEXT PRIMARY KEY, number TEXT NOT NULL, currency TEXT NOT NULL, remaining INTEGER NOT NULL CHECK (remaining >= 0),
    created REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS issuer_cards (
    number TEXT PRIMARY KEY, status TEXT, limit_amount INTEGER
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, rrn TEXT NOT NULL, request TEXT NOT NULL,
    response TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS messages_rrn ON messages (rrn);

CREATE TABLE IF NOT EXISTS accounts (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, currency TEXT NOT NULL, role TEXT NOT NULL,
    balance INTEGER NOT NULL DEFAULT 0,
    UNIQUE (currency, name)
);
CREATE TABLE IF NOT EXISTS entries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, kind TEXT NOT NULL, source TEXT NOT NULL,
    currency TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS entries_source ON entries (source);
CREATE TABLE IF NOT EXISTS postings (
    entry INTEGER NOT NULL, account INTEGER NOT NULL, amount INTEGER NOT NULL, PRIMARY KEY (entry, account)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, type TEXT NOT NULL, created REAL NOT NULL,
    object TEXT NOT NULL, payload BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS events_object ON events (object);
CREATE TABLE IF NOT EXISTS deliveries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, object TEXT NOT NULL, payload BLOB, signing TEXT NOT NULL,
    next_at REAL NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, status TEXT NOT NULL DEFAULT 'waiting',
    last_answer TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (next_at) WHERE status = 'waiting';
CREATE INDEX IF NOT EXISTS deliveries_event ON deliveries (event);

CREATE TABLE IF NOT EXISTS timers (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, due_at REAL NOT NULL, kind TEXT NOT NULL, object TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS timers_due ON timers (due_at);

CREATE TABLE IF NOT EXISTS fault_rules (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, operation TEXT NOT NULL,
    remaining INTEGER, rate REAL, seed TEXT NOT NULL, draws INTEGER NOT NULL DEFAULT 0, fired INTEGER NOT NULL DEFAULT 0,
    until REAL, params TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS fault_counts (kind TEXT PRIMARY KEY, fired INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fault_firings (scope TEXT PRIMARY KEY, times INTEGER NOT NULL) WITHOUT ROWID;
"""
