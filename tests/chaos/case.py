"""One case: a flow, struck at a place; its recovery, perhaps struck as well; then the verdict."""

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from django.conf import settings
from django.db import close_old_connections

from tests.chaos import blows, guard
from tests.chaos.forking import ASLEEP, FINISHED, KILLED, Child, Story
from tests.chaos.judging import complaints
from tests.chaos.points import Blow, Place, Points, Tell
from tests.chaos.receiver import door
from tests.chaos.recovery import recover
from tests.chaos.scene import Scene, dump, empty_tables, marks_after
from tests.chaos.steps import Flow, Step

LONGEST_WAIT_SECONDS = 60
"""From the last blow until everything is as it must be, without anybody's help."""


@dataclass(slots=True)
class Result:
    """What became of a case."""

    flow: str
    how: str
    at: list[Place]
    outcome: str = ""
    """`recovered`; `not_reached` (it was over before its last blow, and all is well); `failed`."""
    fell: list[str] = field(default_factory=list)
    """The names of the places where it was struck."""
    detail: str = ""
    points: list[str] = field(default_factory=list)
    """Of a case without blows: every place of the flow."""
    recovery_points: int = 0
    """Places passed in the last recovery."""
    waited_seconds: float = 0.0
    """From the last blow to rest, by the clock that our processes saw: leases and retries."""
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """For the results' file."""
        return {name: value for name, value in asdict(self).items() if value not in ("", [], 0, 0.0)}


@dataclass(slots=True)
class Case:
    """One case on its way."""

    flow: Flow
    name: str
    how: str
    """`die`, `cut` or `sleep`."""
    at: Sequence[Place]
    """Where the blows fall: the first in the flow, the others in its recoveries."""
    marks: dict[str, int]
    """How far the PSP's lists went before; moved on by `run`."""
    seed: int = 0
    """For flows in which chance has a say."""
    _moved: float = 0.0
    _done: list[str] = field(default_factory=list)

    def run(self) -> Result:
        """Play it to its end."""
        began = time.monotonic()
        result = Result(flow=self.flow.name, how=self.how, at=list(self.at))
        places: list[Place | None] = [*self.at, None]
        actor = self._child(self._act, at=places.pop(0))
        story = self._listen(actor)
        result.points = story.said.get("points", [])
        while story.how == KILLED and not story.went_wrong:
            result.fell.append(story.said["fell"])
            struck_at = self._moved
            story = self._listen(self._child(self._heal, at=places.pop(0) if places else None))
            result.waited_seconds = self._moved - struck_at
        if story.how == ASLEEP and not story.went_wrong:
            # The others do all the work meanwhile; then it wakes up and believes that it is still its own.
            others = self._listen(self._child(self._work, at=None))
            actor.wake(moved=self._moved)
            story = others if others.went_wrong else self._listen(actor)
            actor.kill()
        if story.how == FINISHED and not story.went_wrong and not result.fell:
            result.fell += [story.said["fell"]] if "fell" in story.said else []
            struck_at = self._moved
            story = self._listen(self._child(self._heal, at=None))
            result.waited_seconds = self._moved - struck_at
        result.waited_seconds = round(result.waited_seconds, 1)
        result.recovery_points = story.said.get("recovery_points", 0)
        _judge(result, story)
        result.seconds = round(time.monotonic() - began, 3)
        return result

    def _child(self, life: Callable[[Scene], None], *, at: Place | None) -> Child:
        def run(tell: Tell, wake: int) -> None:
            for name, value in self.flow.settings.items():
                setattr(settings, name, value)
            settings.PAYMENT_PROVIDERS["sandbox"]["CAPABILITIES"] |= self.flow.can
            if self.flow.breaks:
                self.flow.breaks()
            points = Points(at=at, blow=self._blow(tell, wake, lambda moved: scene.set_clock(moved)))
            guard.install(points, tell)
            scene = Scene(name=self.name, tell=tell, points=points, marks=self.marks, seed=self.seed)
            scene.set_clock(self._moved)
            life(scene)

        return Child(run)

    def _blow(self, tell: Tell, wake: int, woken: Callable[[float], None]) -> Blow:
        match self.how:
            case blows.CUT:
                return blows.cut(tell)
            case blows.SLEEP:
                return blows.sleep(tell, wake, woken)
        return blows.die(tell)

    def _listen(self, child: Child) -> Story:
        story = child.listen()
        self._moved = max(self._moved, story.said.get("moved", 0.0))
        self._done += story.said.pop("done", [])
        self.marks.update(story.said.get("marks", {}))
        return story

    def _act(self, scene: Scene) -> None:
        """The stage is set, then the flow plays, counted."""
        scene.psp.clear_faults()
        scene.marks, old_events = marks_after(scene.psp, self.marks)
        door().reset(old_events=old_events)
        empty_tables()
        scene.tell(marks=scene.marks)
        for step in self.flow.before:
            assert step.run(scene), f"before the flow: {step.says}"
        scene.points.start()
        for step in self.flow.steps:
            if self._take(step, scene) and step.insisted:
                scene.tell(done=[step.says])
        scene.points.stop()
        scene.tell(points=scene.points.names)

    @staticmethod
    def _take(step: Step, scene: Scene) -> bool:
        """One step. What a blow did to it is its own affair; whatever else goes wrong fails the case."""
        try:
            return step.run(scene)
        except Exception:
            if not scene.points.fell:
                raise
            scene.tell(shaken=[traceback.format_exc(limit=-4)])
            return False

    def _work(self, scene: Scene) -> None:
        """While one sleeps, sweeper, workers and people bring everything to rest."""
        recover(scene, self._wishes(), people_first=self.flow.people_first)

    def _heal(self, scene: Scene) -> None:
        """Sweeper, workers and people bring everything to rest, counted; then it is judged."""
        scene.points.start()
        recover(scene, self._wishes(), people_first=self.flow.people_first)
        scene.points.stop()
        scene.tell(recovery_points=len(scene.points.names))
        found = complaints(scene, self.flow)
        if found:
            scene.tell(complaints=found)
            with suppress(Exception):
                scene.tell(evidence=dump())
        close_old_connections()

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
        result.detail = "\n".join([*found, *story.said.get("shaken", []), story.said.get("evidence", "")])
    elif result.waited_seconds > LONGEST_WAIT_SECONDS:
        result.outcome, result.detail = (
            "failed",
            f"at rest only {result.waited_seconds} s after the last blow",
        )
    else:
        result.outcome = "recovered" if len(result.fell) == len(result.at) else "not_reached"
