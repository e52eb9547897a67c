"""Bodies that shops post."""

from typing import Any


def order_body(number: int = 1, **changes: Any) -> dict[str, Any]:
    """An order of ten euros for one seller."""
    return {
        "payment_order_id": f"cart-1-{number}",
        "seller_account": "seller-books",
        "amount": "10.00",
        "currency": "EUR",
        **changes,
    }


def checkout_body(**changes: Any) -> dict[str, Any]:
    """A checkout of one order, paid by card."""
    return {
        "checkout_id": "cart-1",
        "buyer_info": {"buyer_id": "buyer-1"},
        "payment_method": {"type": "card", "token": "tok_visa"},
        "payment_orders": [order_body()],
        **changes,
    }


def seller_body(**changes: Any) -> dict[str, Any]:
    """A seller."""
    return {
        "seller_account": "seller-new",
        "name": "Lumen Lamps",
        "email": "pay@lumen.example",
        "country": "DE",
        "commission_rate": "0.10",
        **changes,
    }
