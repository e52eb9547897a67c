"""The addresses of the shop's API, under /v1/."""

from django.urls import path

from payments.api import actions, operations, views, webhook_views
from wallet.api import converters  # noqa: F401  # Registers `caller_id`.

urlpatterns = [
    path("payments", views.PaymentsView.as_view(), name="payments"),
    path("payments/<caller_id:payment_order_id>", views.PaymentView.as_view(), name="payment"),
    path("checkouts/<caller_id:checkout_id>", views.CheckoutView.as_view(), name="checkout"),
    path("payments/<caller_id:payment_order_id>/capture", actions.CaptureView.as_view(), name="capture"),
    path("payments/<caller_id:payment_order_id>/cancel", actions.CancelView.as_view(), name="cancel"),
    path(
        "checkouts/<caller_id:checkout_id>/capture",
        actions.CheckoutCaptureView.as_view(),
        name="checkout_capture",
    ),
    path(
        "checkouts/<caller_id:checkout_id>/cancel",
        actions.CheckoutCancelView.as_view(),
        name="checkout_cancel",
    ),
    path("checkouts/<caller_id:checkout_id>/attempts", actions.AttemptsView.as_view(), name="attempts"),
    path("dead_letters", operations.DeadLettersView.as_view(), name="dead_letters"),
    path(
        "dead_letters/<slug:kind>/<uuid:object_id>/replay",
        operations.ReplayView.as_view(),
        name="dead_letter_replay",
    ),
    path(
        "dead_letters/<slug:kind>/<uuid:object_id>/close",
        operations.CloseView.as_view(),
        name="dead_letter_close",
    ),
    path("webhook_endpoints", webhook_views.EndpointsView.as_view(), name="webhook_endpoints"),
    path(
        "webhook_endpoints/<uuid:endpoint_id>",
        webhook_views.EndpointView.as_view(),
        name="webhook_endpoint",
    ),
    path(
        "webhook_endpoints/<uuid:endpoint_id>/rotate_secret",
        webhook_views.RotateSecretView.as_view(),
        name="rotate_webhook_secret",
    ),
    path(
        "webhook_endpoints/<uuid:endpoint_id>/deliveries",
        webhook_views.DeliveriesView.as_view(),
        name="webhook_deliveries",
    ),
    path(
        "webhook_deliveries/<uuid:delivery_id>",
        webhook_views.DeliveryView.as_view(),
        name="webhook_delivery",
    ),
    path(
        "webhook_deliveries/<uuid:delivery_id>/replay",
        webhook_views.ReplayDeliveryView.as_view(),
        name="replay_webhook_delivery",
    ),
    path("sellers", views.SellersView.as_view(), name="sellers"),
    path("sellers/<caller_id:seller_account>", views.SellerView.as_view(), name="seller"),
]
