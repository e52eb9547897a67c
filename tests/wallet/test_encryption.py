"""Encrypted columns: readable through the model, with keys that rotate; unreadable without."""

from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import FieldError, ImproperlyConfigured
from django.db import connection, models
from django.test.utils import isolate_apps
from pytest_django import Settings

from wallet.encryption import EncryptedJSONField, EncryptedTextField, decrypt, encrypt, keyed_digest

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
BUYER = {"name": "Wanjiru Kamau", "phone": "+254712345678", "tags": ["a", None, True, 1], "empty": {}}


@pytest.fixture(autouse=True)
def keys(settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    settings.FIELD_DIGEST_KEY = "one key"


@pytest.fixture
def secrets(db: None) -> Iterator[Any]:
    """The table of a model that has nothing but encrypted columns."""
    with isolate_apps("tests"):

        class Secret(models.Model):
            text = EncryptedTextField(null=True)
            data = EncryptedJSONField(null=True)

            class Meta:
                app_label = "tests"

        with connection.schema_editor() as editor:
            editor.create_model(Secret)
        yield Secret._default_manager


def raw() -> str:
    """Everything that the table holds, as PostgreSQL has it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret::text FROM tests_secret secret")
        return "\n".join(row[0] for row in cursor.fetchall())


def test_what_was_stored_comes_back(secrets: Any) -> None:
    secrets.create(text="sëcret 😀", data=BUYER)
    row = secrets.get()
    assert (row.text, row.data) == ("sëcret 😀", BUYER)


def test_nothing_of_it_stands_in_the_column(secrets: Any) -> None:
    secrets.create(text="Wanjiru", data=BUYER)
    stored = raw()
    for word in ("Wanjiru", "Kamau", "254712345678", "name", "phone"):
        assert word not in stored


def test_equal_values_look_different(secrets: Any) -> None:
    secrets.create(text="same")
    secrets.create(text="same")
    first, second = raw().splitlines()
    assert first.split(",")[1] != second.split(",")[1]


def test_nothing_stays_nothing(secrets: Any) -> None:
    secrets.create(text=None, data=None)
    assert secrets.filter(text__isnull=True, data__isnull=True).count() == 1
    secrets.create(text="", data={})
    assert [(row.text, row.data) for row in secrets.filter(text__isnull=False)] == [("", {})]


def test_it_cannot_be_searched_by_mistake(secrets: Any) -> None:
    lookups: list[dict[str, Any]] = [
        {"text": "a"},
        {"text__contains": "a"},
        {"data": {}},
        {"text__in": ["a"]},
    ]
    for lookup in lookups:
        with pytest.raises(FieldError):
            secrets.filter(**lookup).count()


def test_it_can_be_changed_and_read_in_bulk(secrets: Any) -> None:
    secrets.bulk_create([secrets.model(text=str(number)) for number in range(3)])
    secrets.filter(text__isnull=False).update(data={"a": 1})
    assert sorted(secrets.values_list("text", flat=True)) == ["0", "1", "2"]
    assert list(secrets.values_list("data", flat=True)) == [{"a": 1}] * 3
    assert "0" not in {part for row in raw().splitlines() for part in row.strip("()").split(",")[1:]}


def test_keys_rotate(secrets: Any, settings: Settings) -> None:
    secrets.create(text="kept")
    before = raw()
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    row = secrets.get()
    assert row.text == "kept"
    row.save()
    assert raw() != before
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    assert secrets.get().text == "kept"
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    with pytest.raises(ImproperlyConfigured):
        secrets.get()


def test_an_altered_value_is_noticed() -> None:
    token = encrypt("secret")
    place = len(token) // 2
    altered = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
    with pytest.raises(ImproperlyConfigured):
        decrypt(altered)


def test_without_keys_nothing_is_stored_in_the_clear(settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = []
    with pytest.raises(ImproperlyConfigured):
        encrypt("secret")
    settings.FIELD_DIGEST_KEY = ""
    with pytest.raises(ImproperlyConfigured):
        keyed_digest("secret")


def test_json_refuses_what_json_cannot_say(secrets: Any) -> None:
    for value in (float("nan"), object(), {"a": {1, 2}}):
        with pytest.raises((TypeError, ValueError)):
            secrets.create(data=value)


def test_the_digest_is_of_the_text_and_the_key(settings: Settings) -> None:
    digest = keyed_digest("a@example.org")
    assert len(digest) == 64
    assert digest == keyed_digest("a@example.org")
    assert digest != keyed_digest("b@example.org")
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    assert digest == keyed_digest("a@example.org")
    settings.FIELD_DIGEST_KEY = "another key"
    assert digest != keyed_digest("a@example.org")
