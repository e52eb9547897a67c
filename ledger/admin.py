"""The books in the back-office: everything can be read, nothing can be written."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from moneyed import Money
from unfold.admin import ModelAdmin, TabularInline
from unfold.views import ChangeList

from ledger import money
from ledger.chart import Side
from ledger.models import Account, JournalEntry, Posting
from ledger.services import balance, balances


class ReadOnlyAdmin(ModelAdmin):
    """Nobody adds, changes or deletes here, whatever their permissions."""

    # Counting a journal of millions for a headline is not worth its price.
    show_full_result_count = False
    list_per_page = 50
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False


class AccountList(ChangeList):
    """A page of accounts, with what all of them hold read at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        accounts = list(self.result_list)
        held = balances([account.code for account in accounts])
        for account in accounts:
            account.held = held[account.code]
        self.result_list = accounts


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    """Accounts, each with what it holds on its normal side."""

    list_display = ("code", "currency", "type", "policy", "side", "frozen", "holds")
    list_filter = ("type", "policy", "currency", "frozen")
    search_fields = ("code",)
    ordering = ("code",)
    fields = ("code", "currency", "type", "policy", "side", "floor", "frozen", "holds", "opened_at")

    @admin.display(description="normal side")
    def side(self, account: Account) -> str:
        return Side(account.normal_side).name.lower()

    @admin.display(description="holds")
    def holds(self, account: Account) -> str:
        """The balance with its tail, and not the stored column, which lags behind on deferred accounts."""
        held: Money = getattr(account, "held", None) or balance(account.code)
        return f"{held.amount:,f}"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return AccountList


class PostingInline(TabularInline):
    """The legs of one entry, as an accountant writes them: debits left, credits right."""

    model = Posting
    fields = readonly_fields = ("line", "account", "currency", "debit", "credit", "balance_after")
    ordering = ("line",)
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[Posting]:
        postings: QuerySet[Posting] = super().get_queryset(request)
        return postings.select_related("account")

    def has_add_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False

    @admin.display
    def currency(self, posting: Posting) -> str:
        return posting.account.currency

    @admin.display
    def debit(self, posting: Posting) -> str:
        return _column(posting, Side.DEBIT)

    @admin.display
    def credit(self, posting: Posting) -> str:
        return _column(posting, Side.CREDIT)


@admin.register(JournalEntry)
class JournalEntryAdmin(ReadOnlyAdmin):
    """Entries, newest first, each with its postings."""

    list_display = ("id", "reference", "kind", "accounting_date", "occurred_at", "forced", "description")
    list_filter = ("kind", "forced", "accounting_date")
    search_fields = ("reference__exact", "description")
    ordering = ("-id",)
    fields = (
        "id",
        "reference",
        "kind",
        "description",
        "occurred_at",
        "created_at",
        "accounting_date",
        "forced",
    )
    inlines = (PostingInline,)


def _column(posting: Posting, side: Side) -> str:
    amount = posting.amount * side
    return f"{money.from_books(amount, posting.account.currency).amount:,f}" if amount > 0 else ""
