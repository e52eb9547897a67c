"""For the stories: a shop with three sellers, and the sandbox PSP in a thread of this process."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from payments import bell
from payments.psp.registry import adapter
from payments.services.sellers import open_seller
from sandbox_psp.app import App
from sandbox_psp.config import Config
from sandbox_psp.sandbox import Sandbox
from sandbox_psp.server import Server
from tests.factories import ShopFactory, api_key
from tests.payments.calling import Caller
from tests.sandbox_psp.client import SECRET_KEY, WEBHOOK_SECRET, Api


@pytest.fixture(autouse=True)
def silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody rings: the story says when a worker comes."""
    monkeypatch.setattr(bell, "ring", lambda name: None)


@pytest.fixture
def psp(tmp_path: Path, settings: Settings) -> Iterator[Api]:
    """The PSP, spoken to over real HTTP."""
    sandbox = Sandbox(
        Config(
            database=str(tmp_path / "sandbox.sqlite3"),
            secret_key=SECRET_KEY,
            webhook_url="",
            webhook_secret=WEBHOOK_SECRET,
        )
    )
    server = Server("127.0.0.1", 0, App(sandbox))
    sandbox.base_url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    settings.PAYMENT_PROVIDERS = {
        "sandbox": {
            "BACKEND": "payments.psp.sandbox.SandboxPsp",
            "OPTIONS": {
                "base_url": sandbox.base_url,
                "secret_key": SECRET_KEY,
                "webhook_secret": WEBHOOK_SECRET,
            },
        }
    }
    adapter.cache_clear()
    yield Api(server.server_port)
    adapter.cache_clear()
    server.finish(seconds=2)
    sandbox.close()


@pytest.fixture
def shop(db: None) -> Caller:
    """A shop that sells for Nairobi Books, Kericho Tea and Lumen Lamps; ten percent of each sale is ours."""
    for account, name in (("books", "Nairobi Books"), ("tea", "Kericho Tea"), ("lamps", "Lumen Lamps")):
        open_seller(seller_account=account, name=name, email="", country="")
    return Caller(api_key(ShopFactory.create()))
