"""The review queue, and every decision about risk."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminTextareaWidget

from payments.errors import PaymentError
from payments.models import (
    RiskCheck,
    RiskDecision,
    RiskWait,
)
from payments.services import risk_reviews
from wallet.admin.read_only import ReadOnlyAdmin, money_text


def reasons_text(reasons: Sequence[Mapping[str, str]]) -> SafeString:
    """Reasons one below the other, each with its rule."""
    return format_html_join(
        "",
        "<p>{}{}</p>",
        ((f"{reason['rule']}: " if reason["rule"] else "", reason["text"]) for reason in reasons),
    )


class QueueFilter(admin.SimpleListFilter):
    """The review queue, unless more is asked for."""

    title = "waits for"
    parameter_name = "waits"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return [
            ("staff", "staff"),
            ("provider", "the provider"),
            ("nobody", "nobody: decided"),
            ("all", "all"),
        ]

    def choices(self, changelist: Any) -> Any:
        """Without Django's own "All", which would stand for the queue here."""
        return list(super().choices(changelist))[1:]

    def queryset(self, request: HttpRequest, queryset: QuerySet[RiskCheck]) -> QuerySet[RiskCheck]:
        wanted = self.value() or RiskWait.STAFF
        return queryset if wanted == "all" else queryset.filter(waits_for=wanted)


class DecisionForm(forms.Form):
    """What a person says about a payment under review."""

    reason = forms.CharField(
        max_length=risk_reviews.LONGEST_REASON,
        label="Why",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "required": True}),
    )


@admin.register(RiskCheck)
class RiskCheckAdmin(ReadOnlyAdmin):
    """The review queue: payments that wait for a second look, oldest first."""

    list_display = ("created_at", "event", "shop", "amounts", "why", "expires_at", "waits_for")
    list_filter = (QueueFilter, "event__shop")
    list_select_related = ("event__shop",)
    search_fields = ("event__checkout_id", "id")
    ordering = ("created_at",)
    fields = (
        "event",
        "shop",
        "amounts",
        "orders",
        "buyer",
        "method",
        "decisions",
        "waits_for",
        "last_error",
        "created_at",
        "expires_at",
        "ended_at",
        "id",
    )
    readonly_fields = ("shop", "amounts", "orders", "buyer", "decisions", "expires_at")
    change_form_outer_after_template = "admin/payments/riskcheck/decide.html"  # type: ignore[assignment]

    def get_queryset(self, request: HttpRequest) -> QuerySet[RiskCheck]:
        return super().get_queryset(request).prefetch_related("event__orders__seller", "decisions")

    def get_urls(self) -> list[URLPattern]:
        decide = path(
            "<uuid:check_id>/decide/",
            self.admin_site.admin_view(self.decide),
            name="payments_riskcheck_decide",
        )
        return [decide, *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page of one payment, with the form below it for whoever may decide."""
        context = {"decision_form": DecisionForm(), "may_decide": self._may_decide(request)}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **context})

    def decide(self, request: HttpRequest, check_id: UUID) -> HttpResponse:
        """Accept or refuse, by POST only, with a written reason."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self._may_decide(request):
            raise PermissionDenied
        decision = request.POST.get("decision", "")
        page = reverse("admin:payments_riskcheck_change", args=[check_id])
        if decision not in ("accept", "refuse"):
            self.message_user(request, "Accept or refuse?", messages.ERROR)
            return HttpResponseRedirect(page)
        try:
            risk_reviews.decide_review(
                check_id=check_id,
                accept=decision == "accept",
                reason=request.POST.get("reason", ""),
                staff=request.user.get_username(),
            )
        except PaymentError as error:
            self.message_user(request, error.detail, messages.ERROR)
            return HttpResponseRedirect(page)
        done = (
            "Accepted: it is being charged." if decision == "accept" else "Refused: no PSP will hear of it."
        )
        self.message_user(request, done, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:payments_riskcheck_changelist"))

    def _may_decide(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.change_riskcheck")

    @admin.display(description="Shop")
    def shop(self, check: RiskCheck) -> str:
        """Who sells."""
        return check.event.shop.name

    @admin.display(description="Amounts")
    def amounts(self, check: RiskCheck) -> str:
        """What is to be charged."""
        return ", ".join(money_text(total) for total in risk_reviews.totals_under_review(check))

    @admin.display(description="Orders")
    def orders(self, check: RiskCheck) -> SafeString:
        """Each order with its seller and state."""
        rows = (
            (order.payment_order_id, money_text(order.amount), order.seller.name, order.status)
            for order in check.event.orders.all()
        )
        return format_html_join("", "<p>{}: {} for {} ({})</p>", rows)

    @admin.display(description="Buyer")
    def buyer(self, check: RiskCheck) -> SafeString:
        """What the shop told us of the buyer."""
        return format_html_join("", "<p>{}: {}</p>", sorted(check.event.buyer_info.items()))

    @admin.display(description="Why")
    def why(self, check: RiskCheck) -> SafeString:
        """The reasons of the newest decision."""
        newest = max(check.decisions.all(), key=lambda decision: (decision.at, decision.id), default=None)
        return reasons_text(newest.reasons) if newest else SafeString("")

    @admin.display(description="Decisions so far")
    def decisions(self, check: RiskCheck) -> SafeString:
        """Every decision with its reasons, oldest first."""
        rows = sorted(check.decisions.all(), key=lambda decision: (decision.at, decision.id))
        return format_html_join(
            "",
            "<div><strong>{} by {}{}</strong>{}</div>",
            (
                (
                    row.outcome,
                    row.decided_by,
                    "" if row.score is None else f", score {row.score}",
                    reasons_text(row.reasons),
                )
                for row in rows
            ),
        )

    @admin.display(description="Expires", ordering="event__expires_at")
    def expires_at(self, check: RiskCheck) -> str:
        """From then on it can only fail."""
        return f"{check.event.expires_at:%Y-%m-%d %H:%M:%S}"


@admin.register(RiskDecision)
class RiskDecisionAdmin(ReadOnlyAdmin):
    """Every decision, for reading."""

    list_display = ("at", "event", "stage", "outcome", "score", "decided_by", "why")
    list_filter = ("outcome", "stage", "provider")
    list_select_related = ("event",)
    search_fields = ("event__checkout_id", "id", "decided_by")
    date_hierarchy = "at"
    exclude = ("buyer_digest", "email_domain_digest", "ip_digest", "reasons")
    readonly_fields = ("why",)

    @admin.display(description="Why")
    def why(self, decision: RiskDecision) -> SafeString:
        """The reasons as they were given."""
        return reasons_text(decision.reasons)
