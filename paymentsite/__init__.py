"""Configuration and wiring. Nothing imports this package but the processes that start it."""
