"""`manage.py demo`: a story of payments against a running system, told as tables, and checked at the end."""

import os
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ledger.models import Posting
from ledger.services import trial_balance
from payments.representation import amount_text
from paymentsite.api_client import ApiClient
from paymentsite.management.commands.check_invariants import all_violations
from paymentsite.sample import SELLERS, read_sample
from paymentsite.tables import text_table
from wallet.models import HolderKind
from wallet.services import find_holder, wallets_of

Checkout = Mapping[str, Any]


class Command(BaseCommand):
    help = "Play checkouts through the public API and show what they left in orders, journal and wallets."

    def add_arguments(self, parser: CommandParser) -> None:
        port = os.environ.get("WEB_PORT", "8000")
        parser.add_argument("--url", default=f"http://127.0.0.1:{port}", help="the site's address")

    def handle(self, *args: Any, url: str, **options: Any) -> None:
        client = ApiClient(base_url=url, api_key=read_sample().get("api_key", ""))
        story = _Story(client, tag=secrets.token_hex(3))
        for chapter in (story.paid_in_one_charge, story.declined, story.posted_twice):
            self.stdout.write("\n" + chapter() + "\n")
        for title, table in (
            ("The journal of this story", _journal(story.tag)),
            ("The sellers' wallets, all stories of this machine together", _wallets()),
            ("Trial balance", _trial_balance()),
        ):
            self.stdout.write(f"\n{title}\n\n{table}\n")
        self._check()

    def _check(self) -> None:
        found = all_violations()
        for violation in found:
            self.stdout.write(
                f"BROKEN: {violation.invariant}. {violation.message}: {', '.join(violation.rows)}"
            )
        if found:
            raise CommandError("The invariants do not hold.")
        self.stdout.write("\nAll invariants hold.")


class _Story:
    """The chapters, each played through the API and told with the orders it left."""

    def __init__(self, client: ApiClient, *, tag: str) -> None:
        self._client = client
        self.tag = tag

    def paid_in_one_charge(self) -> str:
        """Three sellers, one charge, the split kept in the books."""
        checkout = self._play("paid", token="tok_visa", amounts=("40.00", "15.50", "99.99"))  # noqa: S106
        return "A cart of three sellers is paid in one charge.\n\n" + _orders([checkout])

    def declined(self) -> str:
        """The bank says no, and nothing is booked."""
        checkout = self._play("declined", token="tok_insufficient_funds", amounts=("250.00",))  # noqa: S106
        return (
            "The buyer's bank declines: the order fails with its reason, and nothing is booked.\n\n"
            + _orders([checkout])
        )

    def posted_twice(self) -> str:
        """The second post of a checkout is told the first one's status; the buyer is charged once."""
        body = self._body("twice", token="tok_visa", amounts=("20.00",))  # noqa: S106
        first = self._client.post("/v1/payments", body)
        second = self._client.post("/v1/payments", body)
        checkout = self._client.wait_for_checkout(body["checkout_id"])
        return (
            f"The same checkout is posted twice: the first is answered {first.status_code}, the second "
            f"{second.status_code}, and the buyer is charged once.\n\n" + _orders([checkout])
        )

    def _play(self, name: str, *, token: str, amounts: Sequence[str]) -> Checkout:
        body = self._body(name, token=token, amounts=amounts)
        response = self._client.post("/v1/payments", body)
        if response.status_code != 201:
            raise CommandError(f"POST /v1/payments was answered {response.status_code}: {response.text}")
        checkout = self._client.wait_for_checkout(body["checkout_id"])
        if checkout["checkout_status"] == "pending":
            raise CommandError(f"Checkout {body['checkout_id']} is still pending.")
        return checkout

    def _body(self, name: str, *, token: str, amounts: Sequence[str]) -> dict[str, Any]:
        checkout_id = f"demo-{self.tag}-{name}"
        return {
            "checkout_id": checkout_id,
            "buyer_info": {"buyer_id": "demo-buyer", "email": "buyer@example.org"},
            "payment_method": {"type": "card", "token": token},
            "payment_orders": [
                {
                    "payment_order_id": f"{checkout_id}-{position}",
                    "seller_account": seller["seller_account"],
                    "amount": amount,
                    "currency": "EUR",
                }
                for position, (seller, amount) in enumerate(zip(SELLERS, amounts, strict=False), start=1)
            ],
        }


def _orders(checkouts: Sequence[Checkout]) -> str:
    return text_table(
        ("order", "seller", "amount", "", "status", "failure", "ledger", "wallet"),
        [
            (
                order["payment_order_id"],
                order["seller_account"],
                order["amount"],
                order["currency"],
                order["payment_order_status"],
                order["failure_code"] or "",
                "booked" if order["ledger_updated"] else "",
                "credited" if order["wallet_updated"] else "",
            )
            for checkout in checkouts
            for order in checkout["payment_orders"]
        ],
        right=(2,),
    )


def _journal(tag: str) -> str:
    postings = (
        Posting.objects.select_related("entry", "account")
        .filter(entry__description__contains=f"demo-{tag}-")
        .order_by("entry_id", "line")
    )
    return text_table(
        ("what happened", "account", "debit", "credit", ""),
        [
            (
                posting.entry.description if posting.line == 1 else "",
                posting.account.code,
                f"{posting.amount:.2f}" if posting.amount > 0 else "",
                f"{-posting.amount:.2f}" if posting.amount < 0 else "",
                posting.account.currency,
            )
            for posting in postings
        ],
        right=(2, 3),
    )


def _wallets() -> str:
    rows = []
    for seller in SELLERS:
        holder = find_holder(kind=HolderKind.SELLER, reference=seller["seller_account"])
        for wallet in wallets_of(holder.id):
            rows.append(
                (
                    holder.reference,
                    amount_text(wallet.pending),
                    amount_text(wallet.available),
                    amount_text(wallet.reserved),
                    wallet.currency,
                )
            )
    return text_table(("seller", "pending", "available", "reserved", ""), rows, right=(1, 2, 3))


def _trial_balance() -> str:
    rows = trial_balance()
    lines = [(row.code, amount_text(row.debit), amount_text(row.credit)) for row in rows]
    for currency in sorted({row.debit.currency.code for row in rows}):
        mine = [row for row in rows if row.debit.currency.code == currency]
        debit = sum((row.debit.amount for row in mine), start=mine[0].debit.amount * 0)
        credit = sum((row.credit.amount for row in mine), start=mine[0].debit.amount * 0)
        lines.append((f"total {currency}", f"{debit:.2f}", f"{credit:.2f}"))
    return text_table(("account", "debit", "credit"), lines, right=(1, 2))
