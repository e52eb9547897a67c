"""Reading a request's JSON: each reader takes one field out of the body, so that what is left over is unknown.

Every refusal names the field. Amounts are integers: booleans, floats and strings are refused.
"""

from typing import Any
from urllib.parse import urlsplit

from sandbox_psp import iso
from sandbox_psp.currencies import CURRENCIES
from sandbox_psp.errors import ApiError

_NOTHING = object()


class Fields:
    """A JSON object that is read field by field."""

    def __init__(self, body: dict[str, Any], *, prefix: str = "") -> None:
        self._body = dict(body)
        self._prefix = prefix

    def _take(self, name: str, default: Any) -> Any:
        value = self._body.pop(name, None)
        if value is None:
            if default is _NOTHING:
                raise self.refusal(name, "is required", code="parameter_missing")
            return default
        return value

    def refusal(self, name: str, why: str, *, code: str = "parameter_invalid") -> ApiError:
        """The error for a field."""
        return ApiError(f"{self._prefix}{name} {why}.", code=code, param=self._prefix + name)

    def text(self, name: str, default: Any = _NOTHING, *, longest: int = 255) -> Any:
        """A string of printable text."""
        value = self._take(name, default)
        if value is default:
            return default
        if not isinstance(value, str) or len(value) > longest:
            raise self.refusal(name, f"must be a string of at most {longest} characters")
        if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise self.refusal(name, "holds characters that are not text")
        return value

    def choice(self, name: str, choices: tuple[str, ...], default: Any = _NOTHING) -> Any:
        """One of some words."""
        value = self._take(name, default)
        if value is not default and value not in choices:
            raise self.refusal(name, f"must be one of {', '.join(choices)}")
        return value

    def flag(self, name: str, default: bool) -> bool:
        """true or false."""
        value = self._take(name, default)
        if not isinstance(value, bool):
            raise self.refusal(name, "must be true or false")
        return value

    def integer(self, name: str, default: Any = _NOTHING, *, least: int, most: int) -> Any:
        """A whole number."""
        value = self._take(name, default)
        if value is default:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.refusal(name, f"must be an integer from {least} to {most}")
        return value

    def number(self, name: str, default: Any = _NOTHING, *, least: float = 0, most: float = 1e12) -> Any:
        """A number of seconds, milliseconds or a share."""
        value = self._take(name, default)
        if value is default:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise self.refusal(name, f"must be a number from {least:g} to {most:g}")
        return float(value)

    def amount(self, name: str = "amount", default: Any = _NOTHING) -> Any:
        """An amount in minor units, at least 1."""
        value = self._take(name, default)
        if value is default:
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.refusal(name, "must be an integer of minor units", code="amount_invalid")
        if value < 1:
            raise self.refusal(name, "must be at least 1", code="amount_too_small")
        if value > iso.LARGEST_AMOUNT:
            raise self.refusal(name, f"must be at most {iso.LARGEST_AMOUNT}", code="amount_too_large")
        return value

    def currency(self, name: str = "currency", default: Any = _NOTHING) -> Any:
        """An ISO 4217 code in capitals."""
        value = self._take(name, default)
        if value is not default and (not isinstance(value, str) or value not in CURRENCIES):
            raise self.refusal(name, "must be an ISO 4217 code in capitals", code="currency_unknown")
        return value

    def address(self, name: str) -> str:
        """An http(s) URL, or nothing."""
        value = self.text(name, "", longest=2000)
        if value and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).netloc):
            raise self.refusal(name, "must be an http or https URL")
        return str(value)

    def metadata(self, name: str = "metadata") -> dict[str, str]:
        """Up to 50 pairs of strings."""
        value = self._take(name, {})
        fits = isinstance(value, dict) and len(value) <= 50
        if not fits or not all(isinstance(text, str) and len(text) <= 500 for text in value.values()):
            raise self.refusal(name, "must be an object of at most 50 strings of at most 500 characters")
        return dict(value)

    def object(self, name: str, default: Any = _NOTHING) -> "Fields":
        """A nested object."""
        value = self._take(name, default)
        if not isinstance(value, dict):
            raise self.refusal(name, "must be an object")
        return Fields(value, prefix=f"{self._prefix}{name}.")

    def objects(self, name: str, *, most: int) -> "list[Fields]":
        """A list of nested objects."""
        value = self._take(name, [])
        if (
            not isinstance(value, list)
            or len(value) > most
            or not all(isinstance(one, dict) for one in value)
        ):
            raise self.refusal(name, f"must be a list of at most {most} objects")
        return [Fields(one, prefix=f"{self._prefix}{name}[{at}].") for at, one in enumerate(value)]

    def word(self, name: str, default: str) -> str:
        """A string or a number, as text."""
        value = self._take(name, default)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise self.refusal(name, "must be a string or a number")
        return str(value)

    def rest(self) -> dict[str, Any]:
        """All that was not read yet."""
        rest, self._body = self._body, {}
        return rest

    def end(self) -> None:
        """Refuse what nobody has read.

        Raises:
            ApiError: an unknown field.
        """
        for name in self._body:
            raise self.refusal(name, "is not a known field", code="parameter_unknown")
