"""The chart of accounts, as data: which accounts exist, what they are, and what their codes look like.

A code is the account's name, then what it is kept for, then its currency: `psp_receivable:stripe:EUR`,
`suspense:EUR`. A wallet's accounts end in the wallet's id and take their currency from the wallet:
`wallet_pending:<uuid>`.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum, StrEnum
from uuid import UUID

from ledger import money
from ledger.errors import CurrencyMismatch, UnknownAccount


class AccountType(StrEnum):
    """Where an account stands in the reports. Memo accounts stand in the trial balance only."""

    ASSET = "asset"
    LIABILITY = "liability"
    EQUITY = "equity"
    INCOME = "income"
    EXPENSE = "expense"
    MEMO = "memo"


class Side(IntEnum):
    """The side on which an account grows. Multiplied with a signed amount it gives the account's own view."""

    DEBIT = 1
    CREDIT = -1


class Policy(StrEnum):
    """How an account's balance is kept."""

    EXACT = "exact"
    """Locked by every entry; knows its balance after each posting; may have a floor. For wallets."""
    DEFERRED = "deferred"
    """Never locked; postings queue in the tail and are folded later. For what every payment touches."""


class Qualifier(StrEnum):
    """What an account is kept for, behind its name in the code."""

    NONE = ""
    PSP = "psp"
    BANK = "bank"
    WALLET = "wallet"


@dataclass(frozen=True, slots=True)
class AccountKind:
    """One line of the chart."""

    name: str
    type: AccountType
    side: Side
    holds: str
    """What the account's balance says, in one sentence."""
    qualifier: Qualifier = Qualifier.NONE
    policy: Policy = Policy.DEFERRED
    floor: Decimal | None = None
    """On the normal side: an account of liabilities with floor 0 never becomes a claim."""

    @property
    def opened_explicitly(self) -> bool:
        """Wallet accounts are opened with their wallet; all others on their first posting."""
        return self.qualifier is Qualifier.WALLET


@dataclass(frozen=True, slots=True)
class AccountSpec:
    """All that is needed to open an account."""

    code: str
    currency: str
    type: AccountType
    normal_side: Side
    policy: Policy
    floor: Decimal | None


_ASSET, _LIABILITY = AccountType.ASSET, AccountType.LIABILITY
_INCOME, _EXPENSE, _MEMO = AccountType.INCOME, AccountType.EXPENSE, AccountType.MEMO
_DEBIT, _CREDIT = Side.DEBIT, Side.CREDIT
_ZERO = Decimal(0)


def _wallet(name: str, holds: str) -> AccountKind:
    return AccountKind(name, _LIABILITY, _CREDIT, holds, Qualifier.WALLET, Policy.EXACT, _ZERO)


CHART: dict[str, AccountKind] = {
    kind.name: kind
    for kind in (
        AccountKind("psp_receivable", _ASSET, _DEBIT, "captured, not yet settled by the PSP", Qualifier.PSP),
        AccountKind("psp_balance", _ASSET, _DEBIT, "settled, kept for us by the PSP", Qualifier.PSP),
        AccountKind("psp_fees", _EXPENSE, _DEBIT, "what the PSP charged us", Qualifier.PSP),
        AccountKind("dispute_fees", _EXPENSE, _DEBIT, "what the PSP charged us for disputes", Qualifier.PSP),
        AccountKind("bank", _ASSET, _DEBIT, "our account at a bank", Qualifier.BANK),
        AccountKind("bank_in_transit", _ASSET, _DEBIT, "paid out by a PSP, not yet on a bank statement"),
        AccountKind("refunds_payable", _LIABILITY, _CREDIT, "promised to buyers, not yet refunded"),
        AccountKind("disputed_funds", _ASSET, _DEBIT, "withdrawn by PSPs for disputes that are not decided"),
        AccountKind("payouts_in_transit", _LIABILITY, _CREDIT, "sent to sellers, not yet on a statement"),
        AccountKind("unapplied_receipts", _LIABILITY, _CREDIT, "received for orders already paid or failed"),
        AccountKind("suspense", _LIABILITY, _CREDIT, "money whose owner is not known yet"),
        AccountKind("loss_to_recover", _ASSET, _DEBIT, "taken from us beyond what was left of an order"),
        AccountKind("commission_income", _INCOME, _CREDIT, "our part of the sales"),
        AccountKind(
            "fx_exchange", AccountType.EQUITY, _CREDIT, "exchanged into this currency (-) or out of it (+)"
        ),
        AccountKind("fx_gain", _INCOME, _CREDIT, "gained by exchange rates"),
        AccountKind("fx_loss", _EXPENSE, _DEBIT, "lost by exchange rates"),
        AccountKind("in_doubt", _MEMO, _DEBIT, "sent to PSPs whose answer was lost"),
        AccountKind("in_doubt_contra", _MEMO, _CREDIT, "the other side of in_doubt"),
        _wallet("wallet_pending", "sold, not yet released to the holder"),
        _wallet("wallet_available", "the holder's to take"),
        _wallet("wallet_reserved", "set aside for a payout or a dispute"),
    )
}

_LABEL = r":[a-z0-9][a-z0-9_-]{0,39}"
_CURRENCY = r":[A-Z]{3}"
_FORMS = {
    Qualifier.NONE: _CURRENCY,
    Qualifier.PSP: _LABEL + _CURRENCY,
    Qualifier.BANK: _LABEL + _CURRENCY,
    Qualifier.WALLET: r":[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
}
_PATTERNS = {name: re.compile(name + _FORMS[kind.qualifier], re.ASCII) for name, kind in CHART.items()}


def code(name: str, currency: str, *, psp: str = "", bank: str = "") -> str:
    """The code of a platform account: `code("suspense", "EUR")`, `code("psp_fees", "EUR", psp="stripe")`.

    Raises:
        UnknownAccount: the chart has no such account, or it takes (or lacks) a PSP or bank.
        UnknownCurrency: see `ledger.money.decimals`.
    """
    kind = CHART.get(name)
    given = Qualifier.PSP if psp else Qualifier.BANK if bank else Qualifier.NONE
    if kind is None or kind.qualifier is not given or (psp and bank):
        raise UnknownAccount(f"the chart has no account {name} of this form")
    return spec(":".join(part for part in (name, psp, bank, currency) if part), currency).code


def wallet_code(name: str, wallet_id: UUID) -> str:
    """The code of one of a wallet's accounts: `wallet_code("wallet_pending", wallet.id)`.

    Raises:
        UnknownAccount: the chart has no wallet account of this name.
    """
    account = f"{name}:{wallet_id}"
    if not kind_of(account).opened_explicitly:
        raise UnknownAccount(f"{name} is not an account of a wallet")
    return account


def kind_of(account: str) -> AccountKind:
    """The line of the chart that the code `account` belongs to.

    Raises:
        UnknownAccount: the chart has none, or the code is malformed.
    """
    name = account.partition(":")[0]
    if name not in CHART or _PATTERNS[name].fullmatch(account) is None:
        raise UnknownAccount(f"the chart has no account {account!r}")
    return CHART[name]


def spec(account: str, currency: str) -> AccountSpec:
    """What the account with the code `account` is, if it is kept in `currency`.

    Raises:
        UnknownAccount: see `kind_of`.
        CurrencyMismatch: the code names another currency.
        UnknownCurrency: see `ledger.money.decimals`.
    """
    kind = kind_of(account)
    money.decimals(currency)
    if not kind.opened_explicitly and not account.endswith(f":{currency}"):
        raise CurrencyMismatch(f"{account} is not kept in {currency}")
    return AccountSpec(account, currency, kind.type, kind.side, kind.policy, kind.floor)
