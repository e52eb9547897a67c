"""`manage.py state_diagrams`: draw the diagrams of `docs/states.md` anew from `payments/states.py`."""

from typing import Any

from django.core.management.base import BaseCommand

from paymentsite.state_diagrams import DOCUMENT, drawn


class Command(BaseCommand):
    help = "Write the state diagrams into docs/states.md; a test fails while they differ from the code."

    def handle(self, *args: Any, **options: Any) -> None:
        text = DOCUMENT.read_text()
        fresh = drawn(text)
        if fresh != text:
            DOCUMENT.write_text(fresh)
        self.stdout.write("Drawn anew." if fresh != text else "Nothing has changed.")
