"""Webhooks to shops: where they go and what became of each; dead ones are replayed or closed by POST."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from payments.admin.orders import ReadOnlyInline
from payments.admin.work import DeadFilter, DueWorkAdmin
from payments.models import DeliveryTry, WebhookDelivery, WebhookEndpoint
from wallet.admin.read_only import ReadOnlyAdmin


class DeliveryStatusFilter(admin.SimpleListFilter):
    """Where deliveries stand."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return [("open", "open"), ("delivered", "delivered"), ("dead", "dead")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]
    ) -> QuerySet[WebhookDelivery]:
        columns = {"open": "next_try_at", "delivered": "delivered_at", "dead": "dead_at"}
        column = columns.get(self.value() or "")
        return queryset.filter(**{f"{column}__isnull": False}) if column else queryset


class DeliveryTryInline(ReadOnlyInline):
    """Every call and what came of it."""

    model = DeliveryTry
    fields = ("started_at", "milliseconds", "response_code", "error_class", "detail")
    readonly_fields = fields


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(DueWorkAdmin):
    """News on their way to shops."""

    kind = "webhook_delivery"
    list_display = (
        "created_at",
        "event_type",
        "checkout",
        "endpoint",
        "status_text",
        "tries",
        "last_response_code",
        "next_try_at",
        "last_error",
    )
    list_filter = (DeliveryStatusFilter, DeadFilter, "endpoint__shop")
    list_select_related = ("outbox_event", "event", "endpoint")
    search_fields = ("id", "event__checkout_id", "endpoint__url")
    ordering = ("-outbox_event_id",)
    inlines = (DeliveryTryInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookDelivery]:
        """With what tells waiting from pending."""
        return WebhookDelivery.objects.with_line()

    @admin.display(description="news", ordering="outbox_event__event_type")
    def event_type(self, delivery: WebhookDelivery) -> str:
        """What it tells."""
        return delivery.outbox_event.event_type

    @admin.display(description="checkout", ordering="event__checkout_id")
    def checkout(self, delivery: WebhookDelivery) -> str:
        """What it is about."""
        return delivery.event.checkout_id

    @admin.display(description="status")
    def status_text(self, delivery: WebhookDelivery) -> str:
        """Where it stands."""
        return delivery.status


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ReadOnlyAdmin):
    """Where shops hear their news. Shops change them over the API; secrets are shown to nobody."""

    list_display = ("url", "shop", "enabled", "event_types", "troubled_since", "created_at")
    list_filter = ("enabled", "shop")
    list_select_related = ("shop",)
    search_fields = ("id", "url", "description")
