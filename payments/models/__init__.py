"""The tables of payments; one file per noun."""

from payments.models.dead_letter_action import DeadLetterAction
from payments.models.discrepancy import Discrepancy, DiscrepancyKind
from payments.models.due_work import DueWork
from payments.models.fact import Fact, FactSource, Verdict
from payments.models.idempotency_key import IdempotencyKey
from payments.models.inbound_webhook import InboundWebhook
from payments.models.invariant_run import InvariantRun
from payments.models.operation_try import Operation, OperationTry, TryLine
from payments.models.outbox_event import EventType, OutboxEvent
from payments.models.payment_attempt import AttemptLine, PaymentAttempt
from payments.models.payment_event import ChargeMode, PaymentEvent
from payments.models.payment_order import PaymentOrder
from payments.models.refund import Refund, RefundReason
from payments.models.retry_strategy import RetryStrategy, StrategyKind, Work
from payments.models.risk_check import RiskCheck, RiskWait
from payments.models.risk_decision import RiskDecision, RiskStage
from payments.models.risk_list_entry import RiskList, RiskListEntry
from payments.models.risk_rule import RiskAction, RiskKind, RiskRule, RiskSubject
from payments.models.seller_terms import SellerTerms
from payments.models.shop import ApiKey, LateSuccess, Shop
from payments.models.state_history import StateHistory
from payments.models.webhook_delivery import DeliveryStatus, DeliveryTry, WebhookDelivery
from payments.models.webhook_endpoint import EndpointSecret, WebhookEndpoint

__all__ = [
    "ApiKey",
    "AttemptLine",
    "ChargeMode",
    "DeadLetterAction",
    "DeliveryStatus",
    "DeliveryTry",
    "Discrepancy",
    "DiscrepancyKind",
    "DueWork",
    "EndpointSecret",
    "EventType",
    "Fact",
    "FactSource",
    "IdempotencyKey",
    "InboundWebhook",
    "InvariantRun",
    "LateSuccess",
    "Operation",
    "OperationTry",
    "OutboxEvent",
    "PaymentAttempt",
    "PaymentEvent",
    "PaymentOrder",
    "Refund",
    "RefundReason",
    "RetryStrategy",
    "RiskAction",
    "RiskCheck",
    "RiskDecision",
    "RiskKind",
    "RiskList",
    "RiskListEntry",
    "RiskRule",
    "RiskStage",
    "RiskSubject",
    "RiskWait",
    "SellerTerms",
    "Shop",
    "StateHistory",
    "StrategyKind",
    "TryLine",
    "Verdict",
    "WebhookDelivery",
    "WebhookEndpoint",
    "Work",
]
