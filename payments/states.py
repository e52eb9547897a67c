"""States and edges as data. The models' transitions, the database triggers, the invariant checker and the diagrams
in `docs/states.md` are all made from these tables, so they cannot disagree."""

from collections.abc import Mapping

from django.db.models import TextChoices

Edges = Mapping[str, tuple[str, ...]]


class OrderStatus(TextChoices):
    """Where the money of one seller in one checkout stands. SUCCESS and FAILED never change."""

    NOT_STARTED = "NOT_STARTED"
    EXECUTING = "EXECUTING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"


class PendingReason(TextChoices):
    """Whom an order that is not final waits for."""

    RISK_CHECK = "risk_check"
    RISK_REVIEW = "risk_review"
    AWAITING_BUYER = "awaiting_buyer"
    SUBMITTED = "submitted"
    REQUIRES_ACTION = "requires_action"
    PSP_REVIEW = "psp_review"
    PROCESSING = "processing"
    REQUIRES_CAPTURE = "requires_capture"
    UNKNOWN = "unknown"


class AttemptStatus(TextChoices):
    """Where one payment object at one PSP stands, as far as we know."""

    CREATED = "CREATED"
    SENT = "SENT"
    PENDING = "PENDING"
    AUTHORIZED = "AUTHORIZED"
    CAPTURING = "CAPTURING"
    SUCCEEDED = "SUCCEEDED"
    DECLINED = "DECLINED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    UNKNOWN = "UNKNOWN"


class TryStatus(TextChoices):
    """Where one call to a PSP stands."""

    CREATED = "CREATED"
    SENT = "SENT"
    ANSWERED = "ANSWERED"
    UNKNOWN = "UNKNOWN"


class RefundStatus(TextChoices):
    """Where money on its way back to a buyer stands."""

    REQUESTED = "REQUESTED"
    EXECUTING = "EXECUTING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class DiscrepancyStatus(TextChoices):
    """Where a difference between the world's word and ours stands."""

    OPEN = "OPEN"
    RESOLVED = "RESOLVED"


ORDER_EDGES: Edges = {
    OrderStatus.NOT_STARTED: (OrderStatus.EXECUTING, OrderStatus.FAILED),
    OrderStatus.EXECUTING: (OrderStatus.SUCCESS, OrderStatus.FAILED),
    OrderStatus.SUCCESS: (),
    OrderStatus.FAILED: (),
}

ATTEMPT_EDGES: Edges = {
    AttemptStatus.CREATED: (AttemptStatus.SENT, AttemptStatus.CANCELED),
    AttemptStatus.SENT: (
        AttemptStatus.PENDING,
        AttemptStatus.AUTHORIZED,
        AttemptStatus.SUCCEEDED,
        AttemptStatus.DECLINED,
        AttemptStatus.UNKNOWN,
    ),
    AttemptStatus.PENDING: (
        AttemptStatus.AUTHORIZED,
        AttemptStatus.SUCCEEDED,
        AttemptStatus.DECLINED,
        AttemptStatus.CANCELED,
        AttemptStatus.EXPIRED,
        AttemptStatus.UNKNOWN,
    ),
    AttemptStatus.AUTHORIZED: (AttemptStatus.CAPTURING, AttemptStatus.CANCELED, AttemptStatus.EXPIRED),
    AttemptStatus.CAPTURING: (AttemptStatus.SUCCEEDED, AttemptStatus.AUTHORIZED, AttemptStatus.UNKNOWN),
    AttemptStatus.UNKNOWN: (
        AttemptStatus.SENT,
        AttemptStatus.PENDING,
        AttemptStatus.AUTHORIZED,
        AttemptStatus.SUCCEEDED,
        AttemptStatus.DECLINED,
        AttemptStatus.CANCELED,
        AttemptStatus.EXPIRED,
    ),
    AttemptStatus.SUCCEEDED: (),
    # Only a late fact moves these: the PSP took the money after all.
    AttemptStatus.DECLINED: (AttemptStatus.SUCCEEDED,),
    AttemptStatus.CANCELED: (AttemptStatus.SUCCEEDED,),
    AttemptStatus.EXPIRED: (AttemptStatus.SUCCEEDED,),
}

ATTEMPT_VIA: Mapping[tuple[str, str], str] = {
    # The PSP may tell in one word what takes us two steps: each is walked, none is skipped.
    (AttemptStatus.SENT, AttemptStatus.CANCELED): AttemptStatus.PENDING,
    (AttemptStatus.SENT, AttemptStatus.EXPIRED): AttemptStatus.PENDING,
    (AttemptStatus.AUTHORIZED, AttemptStatus.SUCCEEDED): AttemptStatus.CAPTURING,
    (AttemptStatus.AUTHORIZED, AttemptStatus.UNKNOWN): AttemptStatus.CAPTURING,
    (AttemptStatus.CAPTURING, AttemptStatus.CANCELED): AttemptStatus.AUTHORIZED,
    (AttemptStatus.CAPTURING, AttemptStatus.EXPIRED): AttemptStatus.AUTHORIZED,
}

LIVE_ATTEMPTS: tuple[str, ...] = (
    # An order has at most one attempt in these states: it may yet take the buyer's money.
    AttemptStatus.CREATED,
    AttemptStatus.SENT,
    AttemptStatus.PENDING,
    AttemptStatus.AUTHORIZED,
    AttemptStatus.CAPTURING,
    AttemptStatus.UNKNOWN,
)

REPLACED = "replaced"
"""Why an attempt is called off whose buyer pays in another way; after any other cancellation, its orders have failed."""

TRY_EDGES: Edges = {
    TryStatus.CREATED: (TryStatus.SENT, TryStatus.ANSWERED),
    TryStatus.SENT: (TryStatus.ANSWERED, TryStatus.UNKNOWN),
    TryStatus.UNKNOWN: (TryStatus.SENT, TryStatus.ANSWERED),
    TryStatus.ANSWERED: (),
}

REFUND_EDGES: Edges = {
    RefundStatus.REQUESTED: (RefundStatus.EXECUTING,),
    RefundStatus.EXECUTING: (RefundStatus.SUCCEEDED, RefundStatus.FAILED),
    # PSPs do that: the buyer's bank sends the money back.
    RefundStatus.SUCCEEDED: (RefundStatus.FAILED,),
    RefundStatus.FAILED: (),
}

DISCREPANCY_EDGES: Edges = {
    DiscrepancyStatus.OPEN: (DiscrepancyStatus.RESOLVED,),
    DiscrepancyStatus.RESOLVED: (),
}


def sources(edges: Edges, target: str) -> list[str]:
    """The states from which `target` can be reached in one step."""
    return [source for source, targets in edges.items() if target in targets]


def pairs(edges: Edges) -> list[tuple[str, str]]:
    """The edges as (from, to), as the database trigger wants them."""
    return [(str(source), str(target)) for source, targets in edges.items() for target in targets]


def steps(source: str, target: str) -> list[str] | None:
    """The states an attempt passes on its way from `source` to `target`, `target` last; None when there is no way."""
    if target in ATTEMPT_EDGES[source]:
        return [target]
    via = ATTEMPT_VIA.get((source, target))
    return [via, target] if via else None
