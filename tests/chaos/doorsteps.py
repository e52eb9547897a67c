"""Steps at our site's door: webhooks that come in late, twice, shuffled or never; news that go out to the shop."""

import os

from django.db import connection

from payments.bell import INBOUND_WEBHOOKS
from payments.models import OperationTry, RiskRule
from tests.chaos.receiver import Knock, door
from tests.chaos.scene import Scene
from tests.chaos.steps import Step, outside


def _shut_door(scene: Scene) -> bool:
    door().shut.touch()
    return True


def _open_door(scene: Scene) -> bool:
    door().shut.unlink(missing_ok=True)
    return True


def _knocks(scene: Scene) -> bool:
    """The PSP has tried to deliver to a shut door."""
    scene.wait(lambda: bool(door().requests()), "the PSP's delivery")
    return True


def _receive(scene: Scene) -> bool:
    """Our site takes the last request that the PSP made."""
    with scene.points.not_ours():
        body, headers = door().requests()[-1]
    return scene.receive(body, headers) == 204


def _some_webhooks(scene: Scene) -> bool:
    """Of what the PSP has tried to deliver, some comes: in any order, some of it twice; and is handled or not yet."""
    with scene.points.not_ours():
        waiting: list[Knock] = door().requests()
    coming = scene.chance.choices(waiting, k=scene.chance.randrange(2 * len(waiting) + 1)) if waiting else []
    for body, headers in coming:
        assert scene.receive(body, headers) == 204
        if scene.chance.random() < 0.5:
            scene.work(INBOUND_WEBHOOKS)
    return True


def _door_opens_or_never(scene: Scene) -> bool:
    """What has not come yet comes now; or, by chance, never."""
    if scene.chance.random() < 0.5:
        scene.psp.post("/v1/control/faults", {"kind": "webhook_lost", "rate": 1})
    else:
        _open_door(scene)
    return True


SHUTS_DOOR = outside("our site is down for webhooks", _shut_door)
OPENS_DOOR = outside("our site is up for webhooks", _open_door)
PSP_KNOCKS = outside("the PSP tries to deliver", _knocks)
RECEIVES = Step("our site takes a webhook", _receive)
SOME_WEBHOOKS = Step("some webhooks come", _some_webhooks)
OPENS_DOOR_OR_NEVER = outside("the other webhooks come, or never", _door_opens_or_never)


def _registers_endpoint(scene: Scene) -> bool:
    """The shop wants to be told."""
    status, answer = scene.post("/v1/webhook_endpoints", {"url": os.environ["SHOP_URL"]})
    assert status == 201, answer
    return True


def _ask_about_every_payment(scene: Scene) -> bool:
    RiskRule.objects.filter(name="ask-about-every-payment").update(enabled=True)
    return True


def _replay_dead_letters(scene: Scene) -> bool:
    """A member of staff looks at the dead letters and has each tried again. False: there is none yet."""
    with scene.points.not_ours():
        connection.ensure_connection()
        dead = list(OperationTry.objects.filter(dead_at__isnull=False).values_list("id", flat=True))
    for object_id in dead:
        path = f"/v1/dead_letters/psp_call/{object_id}/replay"
        status, answer = scene.post(path, {"reason": "looked at"}, who="company_api_key")
        assert status == 204, answer
    return bool(dead)


REGISTERS_ENDPOINT = Step("the shop registers an endpoint", _registers_endpoint)
ASKS_ABOUT_EVERY_PAYMENT = Step("staff have the provider asked", _ask_about_every_payment)
STAFF_REPLAY = Step("staff replay the dead letters", _replay_dead_letters, insisted=True)
