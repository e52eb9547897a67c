"""Money in answers."""

from drf_spectacular.utils import extend_schema_field
from moneyed import Money
from rest_framework import serializers

from ledger import money


@extend_schema_field(
    {
        "type": "object",
        "required": ["amount", "currency"],
        "properties": {
            "amount": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "example": "12.50"},
            "currency": {"type": "string", "pattern": "^[A-Z]{3}$", "example": "EUR"},
        },
    }
)
class MoneyField(serializers.Field[Money, Money, dict[str, str], Money]):
    """`{"amount": "12.50", "currency": "EUR"}`: a string with exactly the currency's decimals. For answers
    only.
    """

    def __init__(self, *, help_text: str = "") -> None:
        super().__init__(read_only=True, help_text=help_text)

    def to_representation(self, value: Money) -> dict[str, str]:
        currency = value.currency.code
        return {"amount": f"{value.amount:.{money.decimals(currency)}f}", "currency": currency}
