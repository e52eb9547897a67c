"""What an outside risk service looks like from here. It says how risky; our rules say what that means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from moneyed import Money


class RiskProviderFailed(Exception):
    """No usable answer. Nobody's money depends on the question, so it is asked again, and then a person decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskQuestion:
    """What a provider is told: who pays, how much, how. Never a token."""

    reference: UUID
    """The same for each try, so that a provider that counts payments counts this one once."""
    checkout_id: str
    shop: str
    amounts: Sequence[Money]
    """One per currency."""
    method: str
    buyer_info: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskAnswer:
    """What a provider says."""

    score: int
    """0 (harmless) to 100 (surely fraud)."""
    reasons: Sequence[str] = ()
    """The provider's own words, kept with the decision."""


class RiskProvider(Protocol):
    """One outside service."""

    def score(self, question: RiskQuestion) -> RiskAnswer:
        """Judge one payment, within a few seconds.

        Raises:
            RiskProviderFailed: no answer that can be used.
        """
