"""Every refusal of this app: one class each, with the HTTP status and the code that the API answers."""


class WalletError(Exception):
    """The root of all refusals of this app."""

    status_code = 400
    code = "wallet_error"
    default_detail = "The wallet refused."

    def __init__(self, detail: str | None = None, *, field: str | None = None) -> None:
        self.detail = detail or self.default_detail
        self.field = field
        """Path of the request's field that is to blame, such as `payment_orders[1].seller_account`."""
        super().__init__(self.detail)


class HolderExists(WalletError):
    status_code = 409
    code = "holder_exists"
    default_detail = "There is an account holder with this reference and other content."


class HolderNotFound(WalletError):
    status_code = 404
    code = "holder_not_found"
    default_detail = "There is no such account holder."


class SellerNotFound(HolderNotFound):
    code = "seller_not_found"
    default_detail = "There is no such seller."


class LotExists(WalletError):
    status_code = 409
    code = "lot_exists"
    default_detail = "This source has already given the wallet a lot of another amount."
