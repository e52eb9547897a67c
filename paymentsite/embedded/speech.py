"""Progress for the person who waits, one line per step."""


def say(sentence: str) -> None:
    """Print at once, also into a pipe."""
    print(sentence, flush=True)
