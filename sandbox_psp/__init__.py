"""A simulated payment service provider with its acquirer, card schemes and issuing bank.

It stands alone on the standard library and keeps its own double-entry books, so that a system that pays through it can
be checked against somebody who does not share its code or its mistakes. No real card number is ever accepted.
"""
