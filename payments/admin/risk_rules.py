"""Risk rules and lists, as staff change them."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from payments.errors import PaymentError
from payments.models import RiskList, RiskListEntry, RiskRule, RiskSubject
from payments.risk.parameters import LISTED
from payments.services import risk_rules

if TYPE_CHECKING:
    _RuleForm = forms.ModelForm[RiskRule]
    _EntryForm = forms.ModelForm[RiskListEntry]
else:
    _RuleForm = _EntryForm = forms.ModelForm


class RuleForm(_RuleForm):
    """A rule; the same checks as for whoever writes one in code."""

    class Meta:
        model = RiskRule
        fields = (
            "name",
            "kind",
            "subject",
            "parameters",
            "window",
            "currency",
            "action",
            "priority",
            "enabled",
        )
        help_texts = {
            "parameters": '{"limit": "500.00"}, {"limit": 20}, {"countries": ["DE"]}, {"match": "exact"} or {}; '
            "a limit is the most that still passes.",
            "window": "For velocity: hours:minutes:seconds, or days and hours:minutes:seconds.",
            "priority": "Lower comes first. The strictest rule that hits decides.",
        }

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.errors:
            return cleaned
        values = {name: cleaned[name] for name in self.Meta.fields if name in cleaned}
        values["parameters"] = values.get("parameters") or {}
        for field, problem in risk_rules.rule_problems(RiskRule(**values)).items():
            self.add_error(field, problem)
        return cleaned


@admin.register(RiskRule)
class RiskRuleAdmin(ModelAdmin):
    """The rules. A rule is switched off, not deleted: decisions name it."""

    form = RuleForm
    list_display = (
        "priority",
        "name",
        "kind",
        "subject",
        "parameters",
        "window",
        "currency",
        "action",
        "enabled",
        "changed_by",
    )
    list_display_links = ("name",)
    list_filter = ("enabled", "kind", "action")
    search_fields = ("name",)
    readonly_fields = ("changed_at", "changed_by")

    def get_readonly_fields(self, request: HttpRequest, obj: RiskRule | None = None) -> tuple[str, ...]:
        """The name stays what decisions call it."""
        return (*self.readonly_fields, "name") if obj else self.readonly_fields

    def has_delete_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:
        assert isinstance(obj, RiskRule)
        obj.parameters = obj.parameters or {}
        risk_rules.store_rule(obj, staff=request.user.get_username())


class EntryForm(_EntryForm):
    """A new entry. The value is turned into a digest at once; only public values stay readable."""

    value = forms.CharField(
        max_length=300,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Buyer as shop:buyer id, email address, phone number (+254...), email domain, IP address, card "
        "fingerprint, or for sanctions the full name.",
    )

    subject = forms.ChoiceField(
        choices=[(subject, subject.label) for subject in (*LISTED, RiskSubject.NAME)],
        widget=UnfoldAdminSelectWidget(),
    )

    class Meta:
        model = RiskListEntry
        fields = ("kind", "subject", "note", "expires_at")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("kind") == RiskList.SANCTIONS:
            cleaned["subject"] = RiskSubject.NAME
        if not self.errors:
            try:
                risk_rules.check_entry(
                    kind=cleaned["kind"], subject=cleaned["subject"], value=cleaned["value"]
                )
            except PaymentError as error:
                self.add_error("value", error.detail)
        return cleaned


@admin.register(RiskListEntry)
class RiskListEntryAdmin(ModelAdmin):
    """Block list, allow list and sanctions. Found by the whole value, which is not stored."""

    list_display = ("kind", "subject", "readable", "note", "expires_at", "created_by", "created_at")
    list_filter = ("kind", "subject")
    search_fields = ("label", "note")
    search_help_text = "A sanctioned name, a note, or a whole value: an address, a number, shop:buyer id ..."
    readonly_fields = ("label", "created_by", "created_at")

    def get_form(
        self, request: HttpRequest, obj: RiskListEntry | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """A new entry needs its value; of an old one only note and end may change."""
        if obj is None:
            kwargs["form"] = EntryForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: RiskListEntry | None = None) -> tuple[str, ...]:
        if obj is None:
            return ("kind", "subject", "value", "note", "expires_at")
        return ("kind", "subject", "label", "note", "expires_at", "created_by", "created_at")

    def get_readonly_fields(self, request: HttpRequest, obj: RiskListEntry | None = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "kind", "subject") if obj else ()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[RiskListEntry], search_term: str
    ) -> tuple[QuerySet[RiskListEntry], bool]:
        """Personal values are digests, so they are looked up whole."""
        digests = risk_rules.digests_to_look_up(search_term.strip())
        by_value = queryset.filter(digest__in=digests)
        if by_value.exists():
            return by_value, False
        found: tuple[QuerySet[RiskListEntry], bool]
        found = super().get_search_results(request, queryset, search_term)
        return found

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:
        assert isinstance(obj, RiskListEntry)
        if change:
            obj.save(update_fields=["note", "expires_at"])
            return
        stored = risk_rules.add_to_list(
            kind=obj.kind,
            subject=form.cleaned_data["subject"],
            value=form.cleaned_data["value"],
            note=obj.note,
            staff=request.user.get_username(),
            expires_at=obj.expires_at,
        )
        obj.pk, obj.subject, obj.label = stored.pk, stored.subject, stored.label

    @admin.display(description="Value", ordering="label")
    def readable(self, entry: RiskListEntry) -> SafeString | str:
        """The value where it may be read."""
        return entry.label or format_html('<span title="kept as a digest">{}</span>', "•••")
