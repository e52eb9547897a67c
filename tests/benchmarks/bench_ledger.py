"""Posting through the public API beside a plain ORM version, in one run: only the ratios count.

    python -m tests.benchmarks.bench_ledger [seconds per measurement]

Works in a database of its own (`bench_ledger`) on the server of DATABASE_URL and drops it afterwards.
Rounds of all variants alternate, so that a busy machine slows all of them; the medians are compared.
"""

import json
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "paymentsite.settings")
django.setup()

from django.db import connection, models, transaction  # noqa: E402
from moneyed import Money  # noqa: E402

from ledger import chart, clock  # noqa: E402
from ledger.ids import uuid7  # noqa: E402
from ledger.services import Entry, Leg, open_accounts, post, post_many, violations  # noqa: E402
from ledger.services.entries import check_entry  # noqa: E402
from ledger.services.kernel import _CALL, _arguments  # noqa: E402

RESULTS = Path(__file__).resolve().parents[2] / ".run" / "bench" / "ledger.json"
WALLETS = 500
BATCH = 100
RECEIVABLE = "psp_receivable:bench:EUR"


class OrmAccount(models.Model):
    """The plain version's account: a row with its balance."""

    objects: models.Manager["OrmAccount"]
    code = models.CharField(max_length=120, unique=True)
    balance = models.DecimalField(max_digits=19, decimal_places=4, default=0)

    class Meta:
        app_label = "bench"


class OrmEntry(models.Model):
    """The plain version's entry."""

    objects: models.Manager["OrmEntry"]
    reference = models.CharField(max_length=200, unique=True)
    kind = models.CharField(max_length=40)
    occurred_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "bench"


class OrmPosting(models.Model):
    """The plain version's posting."""

    objects: models.Manager["OrmPosting"]
    entry = models.ForeignKey(OrmEntry, on_delete=models.PROTECT)
    account = models.ForeignKey(OrmAccount, on_delete=models.PROTECT)
    amount = models.DecimalField(max_digits=19, decimal_places=4)

    class Meta:
        app_label = "bench"


def post_with_the_orm(entry: Entry) -> None:
    """Lock both accounts, insert, update both balances: what one writes first."""
    with transaction.atomic():
        codes = [leg.account for leg in entry.legs]
        accounts = {
            account.code: account
            for account in OrmAccount.objects.select_for_update().filter(code__in=codes).order_by("id")
        }
        row = OrmEntry.objects.create(
            reference=entry.reference, kind=entry.kind, occurred_at=entry.occurred_at
        )
        for leg in entry.legs:
            account = accounts[leg.account]
            OrmPosting.objects.create(entry=row, account=account, amount=leg.amount.amount)
            account.balance += leg.amount.amount
            account.save(update_fields=["balance"])


def sales(wallets: list[str], number: int) -> list[Entry]:
    """Captures for random wallets: one account takes part in all of them."""
    entries = []
    for _ in range(number):
        amount = Decimal(random.randint(100, 99_999)) / 100
        legs = (Leg(RECEIVABLE, Money(amount, "EUR")), Leg(random.choice(wallets), Money(-amount, "EUR")))
        entries.append(Entry(f"capture:{uuid7()}:{uuid7()}:1", "capture", legs, clock.now()))
    return entries


def call_kernel(arguments: Iterable[str | bool]) -> None:
    """The kernel alone: its arguments are ready, its answer is not read."""
    with connection.cursor() as cursor:
        cursor.execute(_CALL, [*arguments, True])


def arguments_of(entries: list[Entry]) -> list[str | bool]:
    """What the kernel is sent for these entries."""
    return _arguments([check_entry(at, entry) for at, entry in enumerate(entries)])


def measure(wallets: list[str], seconds: float) -> dict[str, float]:
    """Entries per second of every variant, the median of alternating rounds."""

    def each(do: Callable[[Entry], object]) -> Callable[[list[Entry]], object]:
        return lambda entries: [do(entry) for entry in entries]

    variants: dict[str, tuple[Callable[[list[Entry]], object], int]] = {
        "ORM, one by one": (each(post_with_the_orm), 20),
        "ours, one by one": (each(post), 50),
        f"ours, batches of {BATCH}": (post_many, BATCH),
    }
    rates: dict[str, list[float]] = {
        name: [] for name in (*variants, "kernel, one by one", f"kernel, {BATCH}")
    }
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        for name, (run, size) in variants.items():
            entries = sales(wallets, size)
            start = time.perf_counter()
            run(entries)
            rates[name].append(size / (time.perf_counter() - start))
        for name, ready in (
            ("kernel, one by one", [arguments_of(sales(wallets, 1)) for _ in range(50)]),
            (f"kernel, {BATCH}", [arguments_of(sales(wallets, BATCH))]),
        ):
            start = time.perf_counter()
            for arguments in ready:
                call_kernel(arguments)
            rates[name].append((BATCH if len(ready) == 1 else len(ready)) / (time.perf_counter() - start))
    return {name: statistics.median(values[1:] or values) for name, values in rates.items()}


def bytes_per_entry() -> float:
    """Disk space of entries and postings with their indexes, for each entry."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (pg_total_relation_size('ledger_entry') + pg_total_relation_size('ledger_posting'))::float"
            " / count(*) FROM ledger_entry"
        )
        return float(cursor.fetchone()[0])


def main() -> None:
    """Measure, print, write the results."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 15.0
    connection.settings_dict["TEST"]["NAME"] = "bench_ledger"
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        with connection.schema_editor() as editor:
            for model in (OrmAccount, OrmEntry, OrmPosting):
                editor.create_model(model)
        wallets = [chart.wallet_code("wallet_pending", uuid7()) for _ in range(WALLETS)]
        open_accounts(chart.spec(code, "EUR") for code in wallets)
        OrmAccount.objects.bulk_create(OrmAccount(code=code) for code in [*wallets, RECEIVABLE])
        post_many(sales(wallets, 1000))
        rates = measure(wallets, seconds)
        assert list(violations()) == []
        size = bytes_per_entry()
    finally:
        connection.creation.destroy_test_db("bench_ledger", verbosity=0)

    orm = rates["ORM, one by one"]
    print(f"{'variant':24} {'entries/s':>10} {'x ORM':>7}")
    for name, rate in rates.items():
        print(f"{name:24} {rate:10.0f} {rate / orm:7.1f}")
    print(f"{'bytes per entry':24} {size:10.0f}")
    single, bulk = rates["ours, one by one"], rates[f"ours, batches of {BATCH}"]
    targets = [
        target(1, "single posting against ORM, 1 caller", single, orm),
        target(1, "single posting against the kernel alone", single, rates["kernel, one by one"]),
        target(4, "bulk posting against ORM", bulk, orm),
        target(4, "bulk posting against the kernel alone", bulk, rates[f"kernel, {BATCH}"]),
        target(6, "bytes per two-leg entry, two UUIDs in its reference", size, 500, unit="bytes"),
    ]
    machine = {
        "processors": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
    }
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps({"machine": machine, "targets": targets}, indent=2))


def target(
    number: int, name: str, value: float, baseline: float, unit: str = "entries/s"
) -> dict[str, object]:
    """One line of the results."""
    return {
        "id": number,
        "name": name,
        "value": value,
        "baseline": baseline,
        "ratio": value / baseline,
        "unit": unit,
    }


if __name__ == "__main__":
    main()
