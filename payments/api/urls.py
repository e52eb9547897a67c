"""The addresses of the shop's API, under /v1/."""

from django.urls import path, register_converter

from payments.api import views
from wallet.api.converters import CallerIdConverter

register_converter(CallerIdConverter, "caller_id")

urlpatterns = [
    path("payments", views.PaymentsView.as_view(), name="payments"),
    path("payments/<caller_id:payment_order_id>", views.PaymentView.as_view(), name="payment"),
    path("checkouts/<caller_id:checkout_id>", views.CheckoutView.as_view(), name="checkout"),
    path("sellers", views.SellersView.as_view(), name="sellers"),
    path("sellers/<caller_id:seller_account>", views.SellerView.as_view(), name="seller"),
]
