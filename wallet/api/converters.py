"""Path converters: an id that cannot exist is not looked up. Importing this module registers them."""

from django.urls import register_converter

from wallet.api.fields import CALLER_ID_PATTERN


class CallerIdConverter:
    """A caller's own id in an address. Anything else, such as a NUL character, is an address that does not
    exist.
    """

    regex = CALLER_ID_PATTERN

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(CallerIdConverter, "caller_id")
