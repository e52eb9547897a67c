"""An amount in a table: django-money's field, with the widths, the currency column and the types that we use."""

from typing import TYPE_CHECKING, Any

from django.db import models
from djmoney.models.fields import MoneyField
from moneyed import Money

if TYPE_CHECKING:
    _Base = models.DecimalField[Money, Money]
else:
    _Base = MoneyField


class MoneyColumn(_Base):
    """numeric(19,4) beside a `currency` column, which the model declares itself, before its amounts.

    Several amounts of one row share that column; so they are all of one currency, and the one set last decides
    which. (Left to itself, django-money makes one column per amount and writes every currency on earth into the
    migrations.)

    Managers stay Django's own. Those that django-money would install translate every query, for `F()` and `Sum()` on
    money; both are wrong across currencies, and nothing here uses them.
    """

    if TYPE_CHECKING:
        # What django-stubs calls the types of an attribute on assignment and on reading.
        _pyi_private_set_type: Money  # type: ignore[assignment]
        _pyi_private_get_type: Money  # type: ignore[assignment]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs = {
            "max_digits": 19,
            "decimal_places": 4,
            "currency_field_name": "currency",
            "default_currency": None,
            **kwargs,
        }
        super().__init__(*args, **kwargs)

    def contribute_to_class(self, cls: type[models.Model], name: str, private_only: bool = False) -> None:
        super().contribute_to_class(cls, name)
        delattr(cls._meta, "has_money_field")


class OptionalMoneyColumn(MoneyColumn):
    """An amount that may be missing; its currency column may be null as well."""

    if TYPE_CHECKING:
        _pyi_private_set_type: Money | None  # type: ignore[assignment]
        _pyi_private_get_type: Money | None  # type: ignore[assignment]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"null": True, **kwargs})
