"""PostgreSQL and Valkey from Python packages, for a machine that has neither.

Only the packages' binaries are used. Nothing here imports Django or the settings, and importing the
settings starts nothing: `python -m paymentsite.embedded up` starts the servers and writes `.run/env`,
which the settings read.
"""
