"""Model fields that are encrypted at rest, with keys that rotate, and a keyed digest to search by.

`settings.FIELD_ENCRYPTION_KEYS` is a list of Fernet keys (32 random bytes in URL-safe base64): the first
encrypts, all of them decrypt. To rotate: put a new key first, save the rows again, drop the old key.
`settings.FIELD_DIGEST_KEY` keys the digests; it is separate because a digest must stay the same when the
encryption keys change.
"""

import hashlib
import hmac
import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import FieldError, ImproperlyConfigured
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models


@lru_cache(maxsize=8)
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    if not keys:
        raise ImproperlyConfigured("FIELD_ENCRYPTION_KEYS holds no key.")
    return MultiFernet([Fernet(key) for key in keys])


def encrypt(text: str) -> str:
    """`text` as a Fernet token under the newest key; another token each time."""
    return _cipher(tuple(settings.FIELD_ENCRYPTION_KEYS)).encrypt(text.encode()).decode("ascii")


def decrypt(token: str) -> str:
    """The text of a token made under any key that is still listed.

    Raises:
        ImproperlyConfigured: no listed key fits, or the token was altered.
    """
    try:
        return _cipher(tuple(settings.FIELD_ENCRYPTION_KEYS)).decrypt(token).decode()
    except InvalidToken as error:
        raise ImproperlyConfigured(
            "A stored value was altered, or its key is not in FIELD_ENCRYPTION_KEYS."
        ) from error


def keyed_digest(text: str) -> str:
    """64 hexadecimal digits that are equal for equal texts and say nothing about them without the key
    (HMAC-SHA256).

    The caller brings the text into one form first: an email address in lower case, a phone number as E.164.
    """
    if not settings.FIELD_DIGEST_KEY:
        raise ImproperlyConfigured("FIELD_DIGEST_KEY is empty.")
    return hmac.new(settings.FIELD_DIGEST_KEY.encode(), text.encode(), hashlib.sha256).hexdigest()


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]
    """A text that stands in its column as a Fernet token. It cannot be searched; store a `keyed_digest`
    beside it.
    """

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else encrypt(self._to_text(value))

    def from_db_value(self, value: str | None, expression: object, connection: object) -> Any:
        return None if value is None else self._from_text(decrypt(value))

    def get_lookup(self, lookup_name: str) -> Any:
        """Only `isnull`: two tokens of one text differ, so any comparison would silently find nothing."""
        if lookup_name == "isnull":
            return super().get_lookup(lookup_name)
        raise FieldError(f"{self} is encrypted and cannot be searched by {lookup_name}.")

    def _to_text(self, value: Any) -> str:
        return str(value)

    def _from_text(self, text: str) -> Any:
        return text


class EncryptedJSONField(EncryptedTextField):
    """What JSON can say (dates and decimals become strings), encrypted as one text."""

    if TYPE_CHECKING:
        # What django-stubs calls the types of an attribute on assignment and on reading.
        _pyi_private_set_type: Any
        _pyi_private_get_type: Any

    def to_python(self, value: Any) -> Any:
        return value

    def _to_text(self, value: Any) -> str:
        return json.dumps(
            value, cls=DjangoJSONEncoder, ensure_ascii=False, allow_nan=False, separators=(",", ":")
        )

    def _from_text(self, text: str) -> Any:
        return json.loads(text)
