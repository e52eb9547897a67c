"""Pages that show rows and change nothing."""

from django.http import HttpRequest
from moneyed import Money
from unfold.admin import ModelAdmin

from ledger import money


class ReadOnlyAdmin(ModelAdmin):
    """Lists and pages without a form: these rows are written by services only."""

    show_full_result_count = False
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False


def money_text(amount: Money) -> str:
    """An amount for people: `1,234.50 EUR`, with a real minus sign so that negative ones catch the eye."""
    currency = amount.currency.code
    number = f"{amount.amount:,.{money.decimals(currency)}f}".replace("-", "\N{MINUS SIGN}")
    return f"{number} {currency}"
