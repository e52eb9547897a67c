"""The ledger's tables. Only this app writes them; what the database refuses stands in `migrations/sql/`."""

from ledger.models.account import Account
from ledger.models.journal_entry import JournalEntry
from ledger.models.posting import Posting
from ledger.models.tail import BalanceTail

__all__ = ["Account", "BalanceTail", "JournalEntry", "Posting"]
