"""Everything the ledger can refuse: one class per refusal, with its HTTP status and code."""


class LedgerError(Exception):
    """The root of all refusals of this app. A bug is an assertion, never one of these."""

    status_code: int = 500
    code: str = "ledger_error"


class MoneyError(LedgerError):
    """An amount or a currency that cannot be money here."""

    status_code = 422
    code = "invalid_money"


class InvalidAmount(MoneyError):
    """Not a plain decimal number in a string, or not a finite number at all."""

    code = "invalid_amount"


class UnknownCurrency(MoneyError):
    """Not the code of a currency that people pay with today."""

    code = "unknown_currency"


class TooManyDecimals(MoneyError):
    """More decimals than the currency has: JPY 10.5, EUR 1.001."""

    code = "too_many_decimals"


class AmountTooLarge(MoneyError):
    """More than fifteen digits before the point; the books hold numeric(19,4)."""

    code = "amount_too_large"


class MixedCurrencies(MoneyError):
    """Money of one currency was to be added to money of another."""

    code = "mixed_currencies"


class InvalidEntry(LedgerError):
    """An entry that is malformed in itself: one leg, a zero leg, a bad reference or time."""

    status_code = 422
    code = "invalid_entry"


class Unbalanced(LedgerError):
    """The legs of the entry do not sum to zero in every currency."""

    status_code = 422
    code = "unbalanced"


class UnknownAccount(LedgerError):
    """No such account, and the chart cannot open it on the way."""

    status_code = 422
    code = "unknown_account"


class CurrencyMismatch(LedgerError):
    """A leg is in another currency than its account."""

    status_code = 422
    code = "currency_mismatch"


class AccountFrozen(LedgerError):
    """The account takes no entries until it is unfrozen."""

    status_code = 409
    code = "account_frozen"


class BelowFloor(LedgerError):
    """The entry would take more from an account than it may give, and is not forced."""

    status_code = 409
    code = "below_floor"


class DuplicateReference(LedgerError):
    """The reference is already taken by an entry with other legs or of another kind."""

    status_code = 409
    code = "duplicate"


class AccountConflict(LedgerError):
    """An account of this code exists and differs in currency, type, side, policy or floor."""

    status_code = 409
    code = "account_conflict"


class UnknownEntry(LedgerError):
    """No entry has this id."""

    status_code = 404
    code = "unknown_entry"
