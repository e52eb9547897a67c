"""Serializer fields and a serializer that take what they ask for and nothing else.

REST framework is generous: it turns 1 and true into "1" and "True" and drops what it does not know. With
money, generosity hides a caller's mistake until it costs something; so here a string is a string and an
unknown name is an error.
"""

import re
from collections.abc import Mapping
from typing import Any

from django.core.validators import EmailValidator
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from wallet.card_numbers import could_be_card_number, looks_like_card_number

CALLER_ID_MAX_LENGTH = 64
CALLER_ID_PATTERN = rf"[A-Za-z0-9][A-Za-z0-9._~:@+\-]{{0,{CALLER_ID_MAX_LENGTH - 1}}}"
"""Ids that callers give: they stand in addresses and in logs, so they are plain ASCII without blanks and
slashes.
"""

MAX_TEXT_LENGTH = 1000
"""Of a text whose field says nothing else."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_BUT_LINES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_CARD_NUMBER = ErrorDetail("This looks like a card number. Send a token instead.", "card_number")


class StrictSerializer(serializers.Serializer[Any]):
    """A serializer that refuses the names it does not know, all of them at once with the other errors."""

    def to_internal_value(self, data: Any) -> Any:
        unknown: dict[str, Any] = {}
        if isinstance(data, Mapping):
            writable = {field.field_name for field in self._writable_fields}
            unknown = {
                str(name): [ErrorDetail("There is no such field.", "unknown_field")]
                for name in data
                if name not in writable
            }
        try:
            value = super().to_internal_value(data)
        except ValidationError as error:
            if isinstance(error.detail, dict):
                raise ValidationError({**error.detail, **unknown}) from error
            raise
        if unknown:
            raise ValidationError(unknown)
        return value


class StrictCharField(serializers.CharField):
    """One line of text: a JSON string without control characters and card numbers; never a number or a
    boolean.

    `multiline=True` allows tabs and line ends.
    """

    default_error_messages = {
        "not_a_string": "A string is required.",
        "control_character": "Control characters are not allowed.",
    }

    def __init__(self, *, multiline: bool = False, **kwargs: Any) -> None:
        self.multiline = multiline
        kwargs.setdefault("max_length", MAX_TEXT_LENGTH)
        super().__init__(**kwargs)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        # Before CharField's own first step, which calls str() on whatever came.
        if data is not serializers.empty and data is not None and not isinstance(data, str):
            self.fail("not_a_string")
        value = super().run_validation(data)
        if isinstance(value, str):
            self.refuse_card_number(value)
        return value

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("not_a_string")
        if (_CONTROL_BUT_LINES if self.multiline else _CONTROL).search(data):
            self.fail("control_character")
        text: str = super().to_internal_value(data)
        return text

    def refuse_card_number(self, text: str) -> None:
        """Free text must not carry a card number anywhere."""
        if looks_like_card_number(text):
            raise ValidationError([_CARD_NUMBER])


class PatternField(StrictCharField):
    """A string that fits one pattern as a whole; nothing is trimmed."""

    pattern = ""
    default_error_messages = {"invalid": "This value has a wrong form."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not re.fullmatch(self.pattern, text):
            self.fail("invalid")
        return text


@extend_schema_field(
    {"type": "string", "pattern": f"^{CALLER_ID_PATTERN}$", "maxLength": CALLER_ID_MAX_LENGTH}
)
class CallerIdField(PatternField):
    """The caller's own id of something. Bare digits of a card number's length are always refused."""

    pattern = CALLER_ID_PATTERN
    default_error_messages = {
        "invalid": (
            f"1 to {CALLER_ID_MAX_LENGTH} letters, digits and . _ ~ : @ + -, with a letter or digit first."
        ),
        "bare_digits": "13 to 19 bare digits could be a card number. Add a prefix, such as `order-`.",
    }

    def refuse_card_number(self, text: str) -> None:
        if could_be_card_number(text):
            self.fail("bare_digits")


@extend_schema_field({"type": "string", "pattern": "^[A-Z]{2}$"})
class CountryField(PatternField):
    """A country as ISO 3166-1 alpha-2, in capitals."""

    pattern = "[A-Z]{2}"
    default_error_messages = {"invalid": "Two capital letters (ISO 3166-1), such as DE."}


@extend_schema_field({"type": "string", "pattern": r"^\+[1-9][0-9]{6,14}$"})
class PhoneField(PatternField):
    """A phone number as E.164: a plus sign, country code and number, nothing between."""

    pattern = r"\+[1-9][0-9]{6,14}"
    default_error_messages = {"invalid": "A plus sign and 7 to 15 digits (E.164), such as +254712345678."}


@extend_schema_field(OpenApiTypes.EMAIL)
class StrictEmailField(StrictCharField):
    """An email address."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 254)
        super().__init__(**kwargs)
        self.validators.append(EmailValidator(message="This is not an email address."))


class StrictChoiceField(serializers.ChoiceField):
    """One of a few strings; what came is not repeated in the answer."""

    default_error_messages = {"invalid_choice": "This is not one of the choices."}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid_choice", input="")
        return super().to_internal_value(data)


class StrictBooleanField(serializers.BooleanField):
    """true or false; not "true", not 1."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input="")
        return data


class StrictIntegerField(serializers.IntegerField):
    """A JSON integer; not "1", not 1.0, not true."""

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return data
