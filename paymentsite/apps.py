from django.apps import AppConfig


class PaymentsiteConfig(AppConfig):
    name = "paymentsite"
