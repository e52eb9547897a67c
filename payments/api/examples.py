"""Examples for the OpenAPI schema. The tests post them."""

from typing import Any

from drf_spectacular.utils import OpenApiExample

NEW_PAYMENT_BODY: dict[str, Any] = {
    "checkout_id": "cart-1001",
    "buyer_info": {
        "buyer_id": "buyer-7",
        "name": "Amina Yusuf",
        "email": "amina@example.org",
        "country": "KE",
    },
    "payment_method": {"type": "card", "token": "tok_visa"},
    "payment_orders": [
        {
            "payment_order_id": "cart-1001-1",
            "seller_account": "seller-books",
            "amount": "40.00",
            "currency": "EUR",
        },
        {
            "payment_order_id": "cart-1001-2",
            "seller_account": "seller-tea",
            "amount": "15.50",
            "currency": "EUR",
        },
    ],
}

_BUYER = NEW_PAYMENT_BODY["buyer_info"]
_FIRST: dict[str, Any] = {
    "payment_order_id": "cart-1001-1",
    "checkout_id": "cart-1001",
    "seller_account": "seller-books",
    "amount": "40.00",
    "currency": "EUR",
    "payment_order_status": "SUCCESS",
    "pending_reason": None,
    "failure_code": None,
    "last_failure_code": None,
    "captured_amount": "40.00",
    "refunded_amount": "0.00",
    "ledger_updated": True,
    "wallet_updated": True,
    "created_at": "2026-11-20T10:00:00.000000Z",
    "completed_at": "2026-11-20T10:00:00.400000Z",
}

NEW_PAYMENT = OpenApiExample("A cart of two sellers", value=NEW_PAYMENT_BODY, request_only=True)

CHECKOUT = OpenApiExample(
    "A paid checkout",
    response_only=True,
    status_codes=["200", "201"],
    value={
        "checkout_id": "cart-1001",
        "checkout_status": "paid",
        "is_payment_done": True,
        "charge": "per_checkout",
        "buyer_info": _BUYER,
        "return_url": None,
        "sellers": [
            {"seller_account": "seller-books", "name": "Nairobi Books"},
            {"seller_account": "seller-tea", "name": "Kericho Tea"},
        ],
        "payment_orders": [
            _FIRST,
            {
                **_FIRST,
                "payment_order_id": "cart-1001-2",
                "seller_account": "seller-tea",
                "amount": "15.50",
                "captured_amount": "15.50",
            },
        ],
        "created_at": "2026-11-20T10:00:00.000000Z",
    },
)

ORDER = OpenApiExample(
    "A paid order",
    response_only=True,
    status_codes=["200"],
    value={
        **_FIRST,
        "is_payment_done": True,
        "buyer_info": _BUYER,
        "seller_info": {"seller_account": "seller-books", "name": "Nairobi Books"},
    },
)

NEW_SELLER_BODY: dict[str, Any] = {
    "seller_account": "seller-tea",
    "name": "Kericho Tea",
    "email": "pay@tea.example.org",
    "country": "KE",
    "commission_rate": "0.10",
}

NEW_SELLER = OpenApiExample("A seller", value=NEW_SELLER_BODY, request_only=True)

SELLER = OpenApiExample(
    "An open seller",
    response_only=True,
    status_codes=["200", "201"],
    value={
        **NEW_SELLER_BODY,
        "kyc_status": "not_started",
        "frozen": False,
        "created_at": "2026-11-20T10:00:00.000000Z",
    },
)
