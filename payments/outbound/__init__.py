"""Talking to addresses that shops chose: where we may connect to, how a message is signed, how it is sent.

`sending` is the only file that touches the network, and only tasks may import it.
"""
