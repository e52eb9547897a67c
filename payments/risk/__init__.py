"""Is this payment too risky? Rules as data, signals from the database, and an outside provider behind a protocol."""
