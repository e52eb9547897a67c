"""One case: a flow, killed at a place; its recovery, perhaps killed as well; then the verdict."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from tests.chaos import guard
from tests.chaos.forking import Story, in_child
from tests.chaos.judging import complaints
from tests.chaos.points import Points, Tell
from tests.chaos.receiver import door
from tests.chaos.recovery import recover
from tests.chaos.scene import Scene, current_marks, dump, empty_tables
from tests.chaos.steps import Flow, Step

EVIDENCE = (
    "payments_paymentevent",
    "payments_paymentorder",
    "payments_paymentattempt",
    "payments_operationtry",
    "payments_fact",
    "payments_statehistory",
    "payments_inboundwebhook",
    "payments_discrepancy",
    "payments_outboxevent",
    "ledger_entry",
    "ledger_posting",
    "wallet_lot",
)


LONGEST_WAIT_SECONDS = 60
"""From the last crash until everything is as it must be, without anybody's help."""


@dataclass(slots=True)
class Result:
    """What became of a case."""

    flow: str
    kills: list[int]
    outcome: str = ""
    """`recovered`; `not_reached` (it was over before its last kill, and all is well); `failed`."""
    killed: list[str] = field(default_factory=list)
    """The names of the places where it died."""
    detail: str = ""
    points: list[str] = field(default_factory=list)
    """Of a case without kills: every place of the flow."""
    recovery_points: int = 0
    """Places passed in the last recovery."""
    waited_seconds: float = 0.0
    """From the last kill to rest, by the clock that our processes saw: leases and retries."""
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """For the results' file."""
        return {name: value for name, value in asdict(self).items() if value not in ("", [], 0, 0.0)}


@dataclass(slots=True)
class Case:
    """One case on its way."""

    flow: Flow
    name: str
    kills: Sequence[int]
    marks: dict[str, int]
    """How far the PSP's lists went before; moved on by `run`."""
    _moved: float = 0.0
    _done: list[str] = field(default_factory=list)

    def run(self) -> Result:
        """Play it to its end."""
        began = time.monotonic()
        result = Result(flow=self.flow.name, kills=list(self.kills))
        first, *rest = [*self.kills, 0]
        story = self._child(lambda scene: self._act(scene), kill_at=first)
        result.points = story.said.get("points", [])
        while story.how == "killed" and not story.went_wrong:
            result.killed.append(story.said["killed"])
            kill_at, *rest = rest
            result.waited_seconds = -self._moved
            story = self._child(lambda scene: self._heal(scene), kill_at=kill_at)
        if story.how == "finished" and not result.killed:
            result.waited_seconds = -self._moved
            story = story if story.went_wrong else self._child(lambda scene: self._heal(scene), kill_at=0)
        result.recovery_points = story.said.get("recovery_points", 0)
        result.waited_seconds = round(result.waited_seconds + self._moved, 1)
        _judge(result, story)
        result.seconds = round(time.monotonic() - began, 3)
        return result

    def _child(self, life: Any, *, kill_at: int) -> Story:
        def run(tell: Tell) -> None:
            for name, value in self.flow.settings.items():
                setattr(settings, name, value)
            settings.PAYMENT_PROVIDERS["sandbox"]["CAPABILITIES"] |= self.flow.can
            if self.flow.breaks:
                self.flow.breaks()
            points = Points(tell, kill_at=kill_at or None)
            guard.install(points, tell)
            scene = Scene(name=self.name, tell=tell, points=points, marks=self.marks)
            if self._moved:
                scene.move_clock(timedelta(seconds=self._moved))
            life(scene)

        story = in_child(run)
        self._moved = story.said.get("moved", self._moved)
        self._done += story.said.get("done", [])
        self.marks.update(story.said.get("marks", {}))
        return story

    def _act(self, scene: Scene) -> None:
        """The stage is set, then the flow plays, counted."""
        empty_tables()
        door().reset()
        scene.psp.clear_faults()
        scene.marks = current_marks(scene.psp, self.marks)
        scene.tell(marks=scene.marks)
        for step in self.flow.before:
            assert step.run(scene), f"before the flow: {step.says}"
        scene.points.start()
        for step in self.flow.steps:
            if step.run(scene) and step.insisted:
                scene.tell(done=[step.says])
        scene.points.stop()
        scene.tell(points=scene.points.names)

    def _heal(self, scene: Scene) -> None:
        """Sweeper, workers and people bring it to rest, counted too; then it is judged."""
        scene.points.start()
        recover(scene, self._wishes(), people_first=self.flow.people_first)
        scene.points.stop()
        scene.tell(recovery_points=len(scene.points.names))
        found = complaints(scene, self.flow)
        if found:
            scene.tell(complaints=found, evidence=dump(EVIDENCE))
        connection.close()

    def _wishes(self) -> list[Step]:
        wishes: Mapping[str, Step] = {
            step.says: step for step in self.flow.steps if step.insisted and step.says not in self._done
        }
        return list(wishes.values())


def _judge(result: Result, story: Story) -> None:
    found = story.said.get("complaints", [])
    if story.went_wrong:
        result.outcome, result.detail = "failed", story.complaint
    elif found:
        result.outcome = "failed"
        result.detail = "\n".join([*found, story.said.get("evidence", "")])
    elif result.waited_seconds > LONGEST_WAIT_SECONDS:
        result.outcome, result.detail = (
            "failed",
            f"at rest only {result.waited_seconds} s after the last crash",
        )
    else:
        result.outcome = "recovered" if len(result.killed) == len(result.kills) else "not_reached"
