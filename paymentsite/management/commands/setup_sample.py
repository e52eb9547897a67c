"""`manage.py setup_sample`: the sample company, for development."""

from typing import Any

from django.core.management.base import BaseCommand

from paymentsite.sample import ensure_sample, sample_path


class Command(BaseCommand):
    help = "Make the sample shop, its sellers, API keys and a member of staff; what is there stays."

    def handle(self, *args: Any, **options: Any) -> None:
        ensure_sample()
        self.stdout.write(f"The sample's keys and login are in {sample_path()}.")
