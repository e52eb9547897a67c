"""What happens after a crash without anybody's help: sweeper, workers, and people who insist; until everything rests."""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from celery import current_app
from django.apps import apps
from django.db import close_old_connections
from django.db.models import Min

from ledger import clock
from payments.bell import BELLS, ring
from payments.models import PaymentEvent, PaymentOrder
from payments.models.due_work import DueWork
from payments.services.sweeping import due_bells
from payments.states import ORDER_EDGES
from tests.chaos.scene import Scene
from tests.chaos.steps import Step

MOST_ROUNDS = 200
"""Sweeps after which a case that does not come to rest is given up."""

OPEN = [status for status, targets in ORDER_EDGES.items() if targets]


def recover(scene: Scene, wishes: Sequence[Step], *, people_first: bool = False) -> None:
    """Do what sweepers and workers do, moving the clock only when nothing is due; people repeat their wishes.

    Raises:
        AssertionError: it never comes to rest.
    """
    left = list(wishes)
    for _ in range(MOST_ROUNDS):
        if not (people_first and left) and _sweep():
            continue
        people_first = False
        if left and left[0].run(scene):
            scene.tell(done=[left.pop(0).says])
            continue
        with scene.points.not_ours():
            all_here = scene.has_every_webhook()
            due_at = _next_due(orders_open=_orders_are_open())
        if not all_here:
            time.sleep(0.01)
        elif due_at is not None:
            scene.move_clock(max(timedelta(), due_at - clock.now()) + timedelta(milliseconds=1))
        elif not left:
            return
        else:
            time.sleep(0.01)
    raise AssertionError(
        f"not at rest after {MOST_ROUNDS} sweeps; still wished: {[step.says for step in left]}"
    )


def _sweep() -> bool:
    """Ring for what is due, as the sweeper does, and answer as the workers do. False: nothing was due."""
    close_old_connections()
    names = list(due_bells())
    for name in names:
        ring(name)
        current_app.tasks[BELLS[name].task]()
    return bool(names)


def due_models() -> list[type[DueWork]]:
    """Every table of due rows."""
    return [model for model in apps.get_models() if issubclass(model, DueWork)]


def _orders_are_open() -> bool:
    return PaymentOrder.objects.filter(status__in=OPEN).exists()


def _next_due(*, orders_open: bool) -> datetime | None:
    """When the next row is due; expiry counts only while something may still expire."""
    times = [model._default_manager.aggregate(at=Min("next_try_at"))["at"] for model in due_models()]
    if orders_open:
        times.append(PaymentEvent.objects.aggregate(at=Min("expiry_due_at"))["at"])
    return min([at for at in times if at is not None], default=None)
