"""An attempt that nobody needs any more, because its orders were paid by the late success of another one."""

from ledger import clock
from payments.facts import LockedAttempt, Moves
from payments.models import Operation, OperationTry
from payments.psp import capabilities
from payments.services.calling import ACTOR, surely_unsent
from payments.services.cancellations import ask_to_cancel
from payments.states import AttemptStatus, TryStatus, steps

PAID_OTHERWISE = "paid_otherwise"


def stand_down(locked: LockedAttempt, operation_try: OperationTry) -> bool:
    """Call an attempt off that nobody needs, instead of making its due call; False when that call must be made.

    Where the PSP may have heard of the call, we first ask what became of it. Where something was taken already, what
    is open at the PSP is only the end of that.
    """
    attempt, now = locked.attempt, clock.now()
    if (
        locked.open_orders
        or attempt.is_final
        or attempt.captured
        or operation_try.operation == Operation.CANCEL
    ):
        return False
    unsent = surely_unsent(operation_try)
    answered = operation_try.status == TryStatus.ANSWERED
    if not unsent and not (answered and capabilities.of(attempt.psp_account).cancel):
        return False
    if unsent:
        operation_try.answer()
        operation_try.next_try_at = None
        operation_try.save(update_fields=OperationTry.PROGRESS)
    moves = Moves(locked.event, actor=ACTOR, at=now)
    if unsent and operation_try.operation == Operation.CHARGE:
        for status in steps(attempt.status, AttemptStatus.CANCELED) or []:
            moves.attempt(attempt, AttemptStatus(status))
    else:
        if attempt.status == AttemptStatus.CAPTURING:
            moves.attempt(attempt, AttemptStatus.AUTHORIZED)
        ask_to_cancel(locked, reason=PAID_OTHERWISE, at=now)
    moves.store()
    return True
