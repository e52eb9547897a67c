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
    gunicorn = "gunicorn paymentsite.wsgi --worker-class gthread --workers 2 --threads 4 --log-level error"
    server = subprocess.Popen(
        [*gunicorn.split(), "--no-control-socket", "--bind", f"127.0.0.1:{port}"],
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
    """Requests a second in each round, ours and bare, the first round left out: it only warms up."""
    ours: list[float] = []
    bare: list[float] = []
    for _ in range(ROUNDS + 1):
        run = secrets.token_hex(4)
        bare.append(_rate(port, [post("/bare", _body(run, i)) for i in range(REQUESTS)]))
        ours.append(_rate(port, [_ours(run, i, key) for i in range(REQUESTS)]))
    return ours[1:], bare[1:]


def _ours(run: str, number: int, key: str) -> bytes:
    headers = f"Authorization: Bearer {key}\r\nIdempotency-Key: {run}-{number}\r\n"
    return post("/v1/payments", _body(run, number), headers=headers)


def _rate(port: int, made: list[bytes]) -> float:
    return requests_per_second(port, made.__getitem__, total=len(made), connections=CONNECTIONS, expect=201)


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
