"""`manage.py demo`: a story of payments against a running system, told as tables, and checked at the end."""

import os
import secrets
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ledger.models import Posting
from ledger.services import trial_balance
from payments.models import Refund
from payments.representation import amount_text
from payments.states import RefundStatus
from paymentsite.api_client import ApiClient
from paymentsite.invariants import all_violations
from paymentsite.sample import SELLERS, read_sample
from paymentsite.story import Story, StoryFailed
from paymentsite.tables import text_table
from wallet.models import HolderKind
from wallet.services import find_holder, wallets_of


class Command(BaseCommand):
    help = "Play checkouts through the public API and show what they left in orders, journal and wallets."

    def add_arguments(self, parser: CommandParser) -> None:
        port = os.environ.get("WEB_PORT", "8000")
        parser.add_argument("--url", default=f"http://127.0.0.1:{port}", help="the site's address")

    def handle(self, *args: Any, url: str, **options: Any) -> None:
        client = ApiClient(base_url=url, api_key=read_sample().get("api_key", ""))
        story = Story(client, tag=secrets.token_hex(3))
        for chapter in story.chapters:
            try:
                self.stdout.write("\n" + chapter() + "\n")
            except StoryFailed as error:
                raise CommandError(str(error)) from error
        _wait_for_refunds()
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


def _wait_for_refunds() -> None:
    """The PSP has sent them; its word on that may still be on its way to us."""
    deadline = time.monotonic() + 15
    under_way = Refund.objects.filter(status__in=[RefundStatus.REQUESTED, RefundStatus.EXECUTING])
    while under_way.exists() and time.monotonic() < deadline:
        time.sleep(0.1)


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
