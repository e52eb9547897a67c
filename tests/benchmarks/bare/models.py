"""The three tables of the endpoint that we compare ourselves with."""

from django.db import models


class BareCheckout(models.Model):
    """One request."""

    checkout_id = models.CharField(max_length=64, unique=True)
    buyer = models.JSONField()

    objects: models.Manager["BareCheckout"] = models.Manager()

    class Meta:
        app_label = "bare"


class BareOrder(models.Model):
    """Two of these for each request."""

    checkout = models.ForeignKey(BareCheckout, on_delete=models.CASCADE)
    order_id = models.CharField(max_length=64, unique=True)
    seller = models.CharField(max_length=64)
    amount = models.DecimalField(max_digits=19, decimal_places=4)
    currency = models.CharField(max_length=3)

    objects: models.Manager["BareOrder"] = models.Manager()

    class Meta:
        app_label = "bare"
