"""What the person at the keyboard has to know, in a sentence."""


class EmbeddedError(Exception):
    """The servers cannot be started or stopped; the text says why and what to do."""
