"""Work that is due, dead or decided by rules: calls, webhooks, dead letters, retry strategies, discrepancies."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.forms import ActionForm

from payments.errors import DeadLetterNotFound
from payments.models import (
    DeadLetterAction,
    Discrepancy,
    DueWork,
    InboundWebhook,
    InvariantRun,
    OperationTry,
    RetryStrategy,
)
from payments.services import dead_letters
from wallet.admin.read_only import ReadOnlyAdmin


class ReasonForm(ActionForm):
    """What stands beside an action: why it is done."""

    reason = forms.CharField(max_length=500, required=False, label="Reason")


class DeadFilter(admin.SimpleListFilter):
    """Dead letters that nobody has closed."""

    title = "dead letters"
    parameter_name = "dead"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return [("open", "open"), ("closed", "closed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        if self.value() == "open":
            return queryset.filter(dead_at__isnull=False, dead_closed_at__isnull=True)
        if self.value() == "closed":
            return queryset.filter(dead_at__isnull=False, dead_closed_at__isnull=False)
        return queryset


class DueWorkAdmin(ReadOnlyAdmin):
    """A table of work, with what people may do about its dead letters: by POST, with a reason, through the service."""

    kind: ClassVar[str]
    action_form = ReasonForm
    actions = ("replay_dead_letters", "close_dead_letters")  # type: ignore[assignment]

    @admin.action(description="Try dead letters again", permissions=["act_on_dead_letters"])
    def replay_dead_letters(self, request: HttpRequest, queryset: QuerySet[DueWork]) -> None:
        """Due again, under their old keys."""
        self._each(request, queryset, dead_letters.replay)

    @admin.action(description="Close dead letters", permissions=["act_on_dead_letters"])
    def close_dead_letters(self, request: HttpRequest, queryset: QuerySet[DueWork]) -> None:
        """Off the list; what they were about stays as it is."""
        self._each(request, queryset, dead_letters.close)

    def has_act_on_dead_letters_permission(self, request: HttpRequest) -> bool:
        """Whoever may write down what was done with a dead letter may do it."""
        return request.user.has_perm("payments.add_deadletteraction")

    def _each(self, request: HttpRequest, queryset: QuerySet[DueWork], service: Any) -> None:
        reason = request.POST.get("reason", "").strip()[:500]
        if not reason:
            self.message_user(request, "Write down the reason first.", messages.ERROR)
            return
        done = 0
        for row in queryset:
            try:
                service(
                    kind=self.kind,
                    object_id=row.pk,
                    actor=f"staff:{request.user.get_username()}",
                    reason=reason,
                )
                done += 1
            except DeadLetterNotFound:
                self.message_user(request, f"{row} is no open dead letter.", messages.WARNING)
        self.message_user(request, f"{done} done.", messages.SUCCESS if done else messages.WARNING)


@admin.register(OperationTry)
class OperationTryAdmin(DueWorkAdmin):
    """Calls to PSPs."""

    kind = "psp_call"
    list_display = ("id", "operation", "status", "sends", "queries", "next_try_at", "dead_at", "error_class")
    list_filter = (DeadFilter, "status", "operation", "error_class")
    search_fields = ("id", "attempt__id", "attempt__psp_reference")


@admin.register(InboundWebhook)
class InboundWebhookAdmin(DueWorkAdmin):
    """What PSPs sent us."""

    kind = "inbound_webhook"
    list_display = (
        "received_at",
        "psp_account",
        "event_type",
        "handled_at",
        "tries",
        "next_try_at",
        "dead_at",
    )
    list_filter = (DeadFilter, "psp_account", "event_type", "parked")
    search_fields = ("id", "dedup_key")
    exclude = ("body",)


@admin.register(DeadLetterAction)
class DeadLetterActionAdmin(ReadOnlyAdmin):
    """What people did with dead letters."""

    list_display = ("at", "kind", "object_id", "action", "actor", "reason")
    list_filter = ("kind", "action")
    search_fields = ("object_id", "actor")


@admin.register(RetryStrategy)
class RetryStrategyAdmin(ModelAdmin):
    """When to try again. Staff may change it: the database refuses waits that make no sense."""

    list_display = (
        "work",
        "psp_account",
        "error_class",
        "kind",
        "first_seconds",
        "growth",
        "longest_seconds",
        "most_tries",
    )
    list_filter = ("work", "kind", "psp_account")


@admin.register(InvariantRun)
class InvariantRunAdmin(ReadOnlyAdmin):
    """What must always hold, minute by minute."""

    list_display = ("at", "seconds", "broken")

    @admin.display(description="broken")
    def broken(self, run: InvariantRun) -> str:
        """How many, or none."""
        return str(len(run.violations)) if run.violations else "none"


@admin.register(Discrepancy)
class DiscrepancyAdmin(ReadOnlyAdmin):
    """Where the world's word and ours differ."""

    list_display = ("opened_at", "kind", "status", "psp_account", "attempt", "detail")
    list_filter = ("status", "kind", "psp_account")
    search_fields = ("id", "attempt__id", "detail")
