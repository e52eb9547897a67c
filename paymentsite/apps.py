"""Makes our Celery application the current one in every process, so that every bell is rung with it."""

from django.apps import AppConfig

from paymentsite.celery import app


class PaymentsiteConfig(AppConfig):
    name = "paymentsite"
    celery = app
