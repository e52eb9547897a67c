"""`manage.py check_invariants`: ask every question that must find nothing, in one read-only snapshot."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from paymentsite.invariants import all_violations


class Command(BaseCommand):
    help = "Check everything that must always hold; exits 1 and names the rows when something does not."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON list instead of text")

    def handle(self, *args: Any, **options: Any) -> None:
        found = all_violations()
        if options["json"]:
            self.stdout.write(
                json.dumps([{"invariant": v.invariant, "message": v.message, "rows": v.rows} for v in found])
            )
        else:
            for violation in found:
                self.stdout.write(f"{violation.invariant}. {violation.message}: {', '.join(violation.rows)}")
            self.stdout.write(f"{len(found)} violations." if found else "All invariants hold.")
        if found:
            sys.exit(1)
