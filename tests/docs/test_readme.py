"""What README.md tells a newcomer to type is typed here, against a running system."""

import json
import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.docs.reading import PROJECT
from tests.stack import Stack

BLOCKS = re.findall(r"```sh\n(.*?)```", (PROJECT / "README.md").read_text(), re.DOTALL)


@pytest.fixture
def folder(stack: Stack, tmp_path: Path) -> Path:
    """A folder in which `make run` seems to run: `.run/sample.json` has the stack's address and keys."""
    (tmp_path / ".run").mkdir()
    (tmp_path / ".run" / "sample.json").write_text(json.dumps({**stack.sample, "site": stack.url}))
    return tmp_path


def answers(folder: Path, *blocks: str) -> list[Any]:
    """What the commands of these blocks print: one JSON document after the other."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    printed = subprocess.run(
        ["bash", "-e", "-c", "\n".join(blocks)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = []
    decoder, at = json.JSONDecoder(), 0
    while at < len(printed.rstrip()):
        document, at = decoder.raw_decode(printed, at)
        found.append(document)
    return found


@pytest.mark.stack
def test_a_first_payment_as_the_readme_says_it(folder: Path) -> None:
    keys, post, read = BLOCKS
    (created,) = answers(folder, keys, post)
    assert created["checkout_id"] == "cart-1"
    deadline = time.monotonic() + 30
    while True:
        order, checkout, wallets = answers(folder, keys, read)
        if order["payment_order_status"] == "SUCCESS" or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    assert order["payment_order_status"] == "SUCCESS"
    assert checkout["is_payment_done"] is True
    pending = wallets["wallets"][0]["pending"]
    assert float(pending["amount"]) >= 36
    (again,) = answers(folder, keys, post)
    assert again["checkout_status"] == "paid"
