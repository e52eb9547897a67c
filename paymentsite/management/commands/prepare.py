"""`manage.py prepare`: everything that a development machine needs before the processes start, in one process."""

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Migrate, make the sample company, and collect static files unless the site serves them in debug."

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", verbosity=0)
        call_command("setup_sample")
        if not settings.DEBUG:
            call_command("collectstatic", interactive=False, verbosity=0)
