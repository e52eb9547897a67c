"""One key, one answer: kept in the transaction of what was done, replayed ever after."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ledger import clock
from payments.errors import IdempotencyKeyReused
from payments.models import IdempotencyKey, PaymentEvent, Shop

BUYER = "buyer_info"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the shop is told, and whether it was told so before."""

    status_code: int
    body: Mapping[str, Any]
    replayed: bool = False


def digest_of(content: Any) -> bytes:
    """SHA-256 of what can be said in JSON, the same for the same content in any order of keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).digest()


def stored_answer(*, shop: Shop, key: str, digest: bytes) -> Answer | None:
    """The answer this key has been given, if any.

    Raises:
        IdempotencyKeyReused: it was given to another request (422).
    """
    stored = IdempotencyKey.objects.filter(shop=shop, key=key).first() if key else None
    if stored is None:
        return None
    if bytes(stored.request_digest) != digest:
        raise IdempotencyKeyReused
    event = PaymentEvent.objects.get(shop=shop, checkout_id=stored.answer["checkout_id"])
    return Answer(stored.status_code, {**stored.answer, BUYER: event.buyer_info}, replayed=True)


def store_answer(*, shop: Shop, key: str, digest: bytes, answer: Answer) -> None:
    """Keep an answer, a checkout as the shop was shown it. A concurrent request with the same key waits here, on the
    unique index, for the first.

    The buyer stays where they are encrypted and can be forgotten, and are put back into the answer when it is replayed.
    """
    IdempotencyKey(
        shop=shop,
        key=key,
        request_digest=digest,
        status_code=answer.status_code,
        answer={name: value for name, value in answer.body.items() if name != BUYER},
        created_at=clock.now(),
    ).save(force_insert=True)
