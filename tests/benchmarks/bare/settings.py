"""The project's settings with the bare endpoint beside the real one, in the same processes."""

from paymentsite.settings import *  # noqa: F403
from paymentsite.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.benchmarks.bare.apps.BareConfig"]
ROOT_URLCONF = "tests.benchmarks.bare.urls"
