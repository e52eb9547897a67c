"""Account holders in the back office."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from wallet.admin.read_only import ReadOnlyAdmin, money_text
from wallet.models import AccountHolder
from wallet.services import email_digest, wallets_of


@admin.register(AccountHolder)
class AccountHolderAdmin(ReadOnlyAdmin):
    """Who may hold money with us. Found by reference, by name, or by the whole email address."""

    list_display = ("reference", "name", "kind", "country", "kyc_status", "frozen", "created_at")
    list_filter = ("kind", "kyc_status", "frozen")
    search_fields = ("reference", "name")
    search_help_text = "Reference, name, or a whole email address"
    ordering = ("-created_at",)
    fields = (
        "reference",
        "kind",
        "name",
        "email",
        "country",
        "kyc_status",
        "frozen",
        "balances",
        "created_at",
        "id",
    )
    readonly_fields = ("balances",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AccountHolder], search_term: str
    ) -> tuple[QuerySet[AccountHolder], bool]:
        """The address is encrypted, so it is looked up by its digest."""
        if "@" in search_term:
            by_email = queryset.filter(email_digest=email_digest(search_term.strip()))
            if by_email.exists():
                return by_email, False
        found: tuple[QuerySet[AccountHolder], bool]
        found = super().get_search_results(request, queryset, search_term)
        return found

    @admin.display(description="Wallets")
    def balances(self, holder: AccountHolder) -> SafeString:
        """What stands in each of the holder's wallets now."""
        return format_html_join(
            "\n",
            "<p>{}: {} pending, {} available, {} reserved</p>",
            (
                (
                    balance.currency,
                    money_text(balance.pending),
                    money_text(balance.available),
                    money_text(balance.reserved),
                )
                for balance in wallets_of(holder.id)
            ),
        )
