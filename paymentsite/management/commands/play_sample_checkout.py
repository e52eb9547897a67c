"""`manage.py play_sample_checkout`: one checkout through the public API, as a shop would post it."""

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from payments.api.examples import NEW_PAYMENT_BODY
from paymentsite.api_client import ApiClient
from paymentsite.sample import read_sample


class Command(BaseCommand):
    help = "Post the sample checkout; posting it again only reads its status."

    def add_arguments(self, parser: CommandParser) -> None:
        port = os.environ.get("WEB_PORT", "8000")
        parser.add_argument("--url", default=f"http://127.0.0.1:{port}", help="the site's address")

    def handle(self, *args: Any, url: str, **options: Any) -> None:
        client = ApiClient(base_url=url, api_key=read_sample().get("api_key", ""))
        response = client.post("/v1/payments", NEW_PAYMENT_BODY)
        if response.status_code not in (200, 201):
            raise CommandError(f"The sample checkout was answered {response.status_code}: {response.text}")
        checkout = client.wait_for_checkout(NEW_PAYMENT_BODY["checkout_id"])
        for order in checkout["payment_orders"]:
            self.stdout.write(
                f"  {order['payment_order_id']}: {order['amount']} {order['currency']} for "
                f"{order['seller_account']}: {order['payment_order_status']}"
            )
        if checkout["checkout_status"] != "paid":
            raise CommandError(f"The sample checkout is {checkout['checkout_status']}.")
