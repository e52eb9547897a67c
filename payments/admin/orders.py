"""Checkouts, orders, attempts and what was heard about them, for reading."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import TabularInline

from payments.models import (
    AttemptLine,
    Fact,
    OperationTry,
    OutboxEvent,
    PaymentAttempt,
    PaymentEvent,
    PaymentOrder,
    StateHistory,
)
from wallet.admin.read_only import ReadOnlyAdmin, money_text


class ReadOnlyInline(TabularInline):
    """Rows beside another row, for reading."""

    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False


class OrderInline(ReadOnlyInline):
    """The split of a checkout."""

    model = PaymentOrder
    fields = ("payment_order_id", "seller", "amount", "status", "pending_reason", "failure_code", "captured")
    readonly_fields = fields


class AttemptInline(ReadOnlyInline):
    """How it was tried."""

    model = PaymentAttempt
    fields = ("created_at", "psp_account", "method", "amount", "status", "captured", "decline_code")
    readonly_fields = fields


class LineInline(ReadOnlyInline):
    """For which orders."""

    model = AttemptLine
    fields = ("order", "amount", "live")
    readonly_fields = fields


class TryInline(ReadOnlyInline):
    """Which calls were made."""

    model = OperationTry
    fields = ("created_at", "operation", "status", "sends", "queries", "next_try_at", "error_class")
    readonly_fields = fields


class FactInline(ReadOnlyInline):
    """What the PSP said."""

    model = Fact
    fields = ("created_at", "source", "outcome", "amount", "captured", "verdict", "reason")
    readonly_fields = fields


@admin.register(PaymentEvent)
class PaymentEventAdmin(ReadOnlyAdmin):
    """Checkouts with their split and their attempts."""

    list_display = ("checkout_id", "shop", "created_at", "charge", "expires_at", "closed_at")
    list_filter = ("shop", "charge")
    search_fields = ("checkout_id", "id")
    date_hierarchy = "created_at"
    exclude = ("content_digest", "buyer_digest")
    inlines = (OrderInline, AttemptInline)


@admin.register(PaymentOrder)
class PaymentOrderAdmin(ReadOnlyAdmin):
    """Orders."""

    list_display = (
        "payment_order_id",
        "seller",
        "money",
        "status",
        "pending_reason",
        "failure_code",
        "created_at",
    )
    list_filter = ("status", "pending_reason", "shop", "currency")
    search_fields = ("payment_order_id", "id", "event__checkout_id", "seller__reference")
    list_select_related = ("seller",)
    date_hierarchy = "created_at"

    @admin.display(description="amount", ordering="amount")
    def money(self, order: PaymentOrder) -> str:
        """The amount, for people."""
        return money_text(order.amount)


@admin.register(PaymentAttempt)
class PaymentAttemptAdmin(ReadOnlyAdmin):
    """Attempts with their calls and what was heard."""

    list_display = ("id", "psp_account", "method", "money", "status", "decline_code", "created_at")
    list_filter = ("status", "psp_account", "method")
    search_fields = ("id", "psp_reference", "event__checkout_id")
    exclude = ("token", "client_action")
    inlines = (LineInline, TryInline, FactInline)

    @admin.display(description="amount", ordering="amount")
    def money(self, attempt: PaymentAttempt) -> str:
        """The amount, for people."""
        return money_text(attempt.amount)


@admin.register(Fact)
class FactAdmin(ReadOnlyAdmin):
    """Everything the outside told us."""

    list_display = ("created_at", "psp_account", "source", "outcome", "verdict", "reason")
    list_filter = ("verdict", "source", "outcome", "psp_account")
    search_fields = ("id", "psp_reference", "dedup_key")


@admin.register(StateHistory)
class StateHistoryAdmin(ReadOnlyAdmin):
    """Every step of every state."""

    list_display = ("at", "object_type", "object_id", "from_state", "to_state", "actor")
    list_filter = ("object_type", "to_state")
    search_fields = ("object_id",)


@admin.register(OutboxEvent)
class OutboxEventAdmin(ReadOnlyAdmin):
    """What we tell others."""

    list_display = ("id", "event_type", "event", "created_at")
    list_filter = ("event_type",)
    search_fields = ("event__checkout_id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[OutboxEvent]:
        return super().get_queryset(request).select_related("event")
