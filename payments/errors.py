"""Every refusal of this app: one class each, with the HTTP status and the code that the API answers."""

from collections.abc import Mapping


class PaymentError(Exception):
    """The root of all refusals of this app."""

    status_code = 400
    code = "payment_error"
    default_detail = "The payment was refused."

    def __init__(self, detail: str | None = None, *, field: str | None = None) -> None:
        self.detail = detail or self.default_detail
        self.field = field
        super().__init__(self.detail)


class OrderNotFound(PaymentError):
    status_code = 404
    code = "payment_order_not_found"
    default_detail = "There is no such payment order."


class CheckoutNotFound(PaymentError):
    status_code = 404
    code = "checkout_not_found"
    default_detail = "There is no such checkout."


class SellerNotFound(PaymentError):
    status_code = 404
    code = "seller_not_found"
    default_detail = "There is no such seller."


class SellerDiffers(PaymentError):
    status_code = 409
    code = "seller_differs"
    default_detail = "This seller exists with other terms."


class UnknownSeller(PaymentError):
    status_code = 422
    code = "unknown_seller"
    default_detail = "There is no seller with this account."


class SellerFrozen(PaymentError):
    status_code = 422
    code = "seller_frozen"
    default_detail = "This seller cannot take payments now."


class CheckoutDiffers(PaymentError):
    status_code = 422
    code = "checkout_differs"
    default_detail = "This checkout_id exists with other content."


class OrderExists(PaymentError):
    status_code = 422
    code = "payment_order_exists"
    default_detail = "This payment_order_id belongs to another checkout."


class IdempotencyKeyReused(PaymentError):
    status_code = 422
    code = "idempotency_key_reused"
    default_detail = "This Idempotency-Key was used with another request."


class MethodNotSupported(PaymentError):
    status_code = 422
    code = "payment_method_not_supported"
    default_detail = "No payment service provider takes this method in this currency."


class AmountNotSupported(PaymentError):
    status_code = 422
    code = "amount_not_supported"
    default_detail = "No payment service provider takes this amount."


class ChargeModeNotSupported(PaymentError):
    status_code = 422
    code = "charge_mode_not_supported"
    default_detail = "This token can be charged once only, so its orders cannot be charged one by one."


class CaptureNotSupported(PaymentError):
    status_code = 422
    code = "capture_not_supported"
    default_detail = "This method cannot reserve money first and take it later."


class CaptureTogether(PaymentError):
    status_code = 409
    code = "capture_together"
    default_detail = (
        "These orders were authorised together, and their PSP captures only once: name all of them."
    )


class CancelTogether(PaymentError):
    status_code = 409
    code = "cancel_together"
    default_detail = (
        "These orders are being paid together: cancel the whole checkout, or wait for the result."
    )


class NotAuthorized(PaymentError):
    status_code = 409
    code = "not_authorized"
    default_detail = "No money is reserved for this order that could be captured."


class CaptureExceedsOrder(PaymentError):
    status_code = 422
    code = "capture_exceeds_order"
    default_detail = "More than the order's amount cannot be captured."


class CallInProgress(PaymentError):
    status_code = 409
    code = "payment_in_progress"
    default_detail = "The PSP is being asked something about this payment; ask again in a moment."
    retry_after = 2


class NotCancelable(PaymentError):
    status_code = 409
    code = "not_cancelable"
    default_detail = "This order is final."


class CheckoutClosed(PaymentError):
    status_code = 409
    code = "checkout_closed"
    default_detail = "This checkout is paid, failed, expired or canceled."


class AttemptOpen(PaymentError):
    status_code = 409
    code = "attempt_open"
    default_detail = (
        "An earlier attempt may still take the money; it is being called off. Try again in a moment."
    )
    retry_after = 2


class DeadLetterNotFound(PaymentError):
    status_code = 404
    code = "dead_letter_not_found"
    default_detail = "There is no such dead letter, or it was replayed or closed before."


class RiskCheckOpen(PaymentError):
    status_code = 409
    code = "risk_check_open"
    default_detail = "The last way to pay this checkout is still being checked; wait for the result."
    retry_after = 5


class ReviewClosed(PaymentError):
    status_code = 409
    code = "risk_review_closed"
    default_detail = "This payment does not wait for a review, or somebody has decided it."


class ReasonMissing(PaymentError):
    status_code = 422
    code = "reason_missing"
    default_detail = "Write down why."


class RiskEntryInvalid(PaymentError):
    status_code = 422
    code = "risk_entry_invalid"
    default_detail = "This cannot stand on this list."


class RiskRuleInvalid(PaymentError):
    status_code = 422
    code = "risk_rule_invalid"
    default_detail = "This rule could not be used."

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{field}: {problem}" for field, problem in problems.items()))
        self.problems = problems


class EndpointNotFound(PaymentError):
    status_code = 404
    code = "webhook_endpoint_not_found"
    default_detail = "There is no such webhook endpoint."


class EndpointUrlRefused(PaymentError):
    status_code = 422
    code = "webhook_url_refused"
    default_detail = "This address cannot be called."


class EndpointDisabled(PaymentError):
    status_code = 409
    code = "webhook_endpoint_disabled"
    default_detail = "This webhook endpoint is disabled; enable it first."


class TooManyEndpoints(PaymentError):
    status_code = 409
    code = "too_many_webhook_endpoints"
    default_detail = "No more webhook endpoints can be enabled at one time."


class TooManySecrets(PaymentError):
    status_code = 409
    code = "too_many_webhook_secrets"
    default_detail = (
        "Earlier secrets of this endpoint still sign; wait until one expires, or rotate with no overlap."
    )


class DeliveryNotFound(PaymentError):
    status_code = 404
    code = "webhook_delivery_not_found"
    default_detail = "There is no such webhook delivery."


class DeliveryInProgress(PaymentError):
    status_code = 409
    code = "webhook_delivery_in_progress"
    default_detail = "This delivery is being sent just now."
    retry_after = 15


class WebhookForged(PaymentError):
    status_code = 400
    code = "webhook_not_verified"
    default_detail = "The signature does not fit the body."


class WebhookUnreadable(PaymentError):
    status_code = 400
    code = "webhook_unreadable"
    default_detail = "The body cannot be read."


class WebhookTooLarge(PaymentError):
    status_code = 413
    code = "webhook_too_large"
    default_detail = "The body is too large."


class PspAccountNotFound(PaymentError):
    status_code = 404
    code = "psp_account_not_found"
    default_detail = "There is no such PSP account."
