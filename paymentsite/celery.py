"""The Celery application. Jobs are rows; a message only rings the bell, so losing one loses nothing."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "paymentsite.settings")

app = Celery("paymentsite")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
