"""`make bench-api`: POST /v1/payments with everything, beside a bare endpoint that inserts three rows.

Both are served by the same gunicorn over the same database; their runs alternate, and medians are compared, because
only ratios of one run mean anything on a shared machine.
"""

import json
import os
import secrets
import statistics
import subprocess
import sys
import time

import requests

from paymentsite.embedded.ports import free_port
from tests.benchmarks.load import post, requests_per_second
from tests.benchmarks.results import Target, report

ROUNDS = int(os.environ.get("ROUNDS", "5"))
REQUESTS = int(os.environ.get("REQUESTS", "1600"))
CONNECTIONS = 8
SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.benchmarks.bare.settings"}


def main() -> int:
    """Serve, measure, report."""
    environment = os.environ | SETTINGS
    port = free_port()
    for command in (["migrate", "--run-syncdb", "--verbosity", "0"], ["setup_sample"]):
        subprocess.run([sys.executable, "manage.py", *command], env=environment, check=True)
    with open(os.path.join(os.environ["RUN_DIR"], "sample.json")) as file:
        key = json.load(file)["api_key"]
    server = subprocess.Popen(
        f"gunicorn paymentsite.wsgi --worker-class gthread --workers 2 --threads 4 --bind 127.0.0.1:{port} "
        "--log-level error --no-control-socket",
        shell=True,  # noqa: S602
        env=environment,
        start_new_session=True,
    )
    try:
        _wait(port)
        ours, bare = _measure(port, key)
    finally:
        os.killpg(server.pid, 15)
        server.wait()
    for name, figures in (("POST /v1/payments", ours), ("bare endpoint", bare)):
        print(f"{name}: {', '.join(f'{figure:.0f}' for figure in figures)} requests/s")
    value, baseline = statistics.median(ours), statistics.median(bare)
    report(
        "api",
        [
            Target(
                id=7,
                name="POST /v1/payments against a bare endpoint with 3 rows",
                value=value,
                baseline=baseline,
                ratio=value / baseline,
                unit="requests/s",
            )
        ],
    )
    return 0


def _measure(port: int, key: str) -> tuple[list[float], list[float]]:
    ours: list[float] = []
    bare: list[float] = []
    for number in range(ROUNDS + 1):
        run = f"{secrets.token_hex(4)}-{number}"
        headers = f"Authorization: Bearer {key}\r\n"
        figures = (
            requests_per_second(
                port,
                lambda i, run=run: post("/bare", _body(run, i)),
                total=REQUESTS,
                connections=CONNECTIONS,
                expect=201,
            ),
            requests_per_second(
                port,
                lambda i, run=run: post(
                    "/v1/payments", _body(run, i), headers=f"{headers}Idempotency-Key: {run}-{i}\r\n"
                ),
                total=REQUESTS,
                connections=CONNECTIONS,
                expect=201,
            ),
        )
        if number:  # The first round only warms up.
            bare.append(figures[0])
            ours.append(figures[1])
    return ours, bare


def _body(run: str, number: int) -> bytes:
    checkout = f"bench-{run}-{number}"
    body = {
        "checkout_id": checkout,
        "buyer_info": {"buyer_id": f"buyer-{run}-{number}", "email": f"buyer-{number}@example.org"},
        "payment_method": {"type": "card", "token": "tok_visa"},
        "payment_orders": [
            {
                "payment_order_id": f"{checkout}-{position}",
                "seller_account": seller,
                "amount": "12.50",
                "currency": "EUR",
            }
            for position, seller in enumerate(("seller-books", "seller-tea"), start=1)
        ],
    }
    return json.dumps(body).encode()


def _wait(port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            if requests.get(f"http://127.0.0.1:{port}/healthz", timeout=5).ok:
                return
        except requests.RequestException:
            pass
        if time.monotonic() > deadline:
            raise SystemExit("The site did not start.")
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
