"""A simulated risk service that lives beside the sandbox PSP and scores by what it is told."""

from ledger import money
from payments.psp.base import PspError
from payments.psp.http import exchange, new_session
from payments.risk.provider import RiskAnswer, RiskProviderFailed, RiskQuestion

MOST_REASONS = 10
LONGEST_REASON = 200


class SandboxRiskProvider:
    """`POST /v1/risk/score` of the sandbox."""

    def __init__(self, *, base_url: str, secret_key: str, timeout_seconds: float = 3.0) -> None:
        self._url = base_url.rstrip("/") + "/v1/risk/score"
        self._headers = {"Authorization": f"Bearer {secret_key}"}
        self._session = new_session()
        self._timeout_seconds = timeout_seconds

    def score(self, question: RiskQuestion) -> RiskAnswer:
        """Ask once. The same reference gets the same answer, so asking again is harmless."""
        body = {
            "reference": str(question.reference),
            "checkout": question.checkout_id,
            "shop": question.shop,
            "method": question.method,
            "amounts": [
                {"amount": money.to_minor(amount), "currency": amount.currency.code}
                for amount in question.amounts
            ],
            "buyer": dict(question.buyer_info),
        }
        try:
            answer = exchange(
                self._session,
                "POST",
                self._url,
                headers=self._headers,
                json=body,
                total_seconds=self._timeout_seconds,
            )
        except PspError as error:
            raise RiskProviderFailed(error.detail) from error
        if answer.status != 200:
            raise RiskProviderFailed(f"status {answer.status}")
        score, reasons = answer.body.get("score"), answer.body.get("reasons", [])
        if isinstance(score, bool) or not isinstance(score, int) or not 0 <= score <= 100:
            raise RiskProviderFailed("a score that is not a number from 0 to 100")
        if not isinstance(reasons, list):
            raise RiskProviderFailed("reasons that are not a list")
        return RiskAnswer(
            score=score, reasons=[str(reason)[:LONGEST_REASON] for reason in reasons[:MOST_REASONS]]
        )
