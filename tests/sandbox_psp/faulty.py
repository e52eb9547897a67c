"""The two ways to ask for a fault, and what a caller sees who gets no answer."""

from collections.abc import Callable
from http.client import RemoteDisconnected
from typing import Any

import pytest

from tests.sandbox_psp.client import Api

BODY: dict[str, Any] = {"amount": 1000, "currency": "EUR", "reference": "attempt-1"}
Armed = Callable[[Api, str], dict[str, Any]]
NO_ANSWER = (RemoteDisconnected, ConnectionResetError)


def by_token(api: Api, kind: str) -> dict[str, Any]:
    return {**BODY, "source": f"tok_fault_{kind}"}


def by_rule(api: Api, kind: str) -> dict[str, Any]:
    assert api.post("/v1/control/faults", {"kind": kind}).status == 201
    return {**BODY, "source": "tok_visa"}


both_ways = pytest.mark.parametrize("armed", [by_token, by_rule])
