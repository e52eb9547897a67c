"""Strict fields take what they ask for and nothing that resembles it."""

from decimal import Decimal
from typing import Any

import pytest
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from wallet.api.fields import (
    CallerIdField,
    CountryField,
    PhoneField,
    StrictBooleanField,
    StrictCharField,
    StrictChoiceField,
    StrictEmailField,
    StrictIntegerField,
    StrictSerializer,
)

NOT_STRINGS: list[Any] = [1, 1.5, Decimal("1.5"), True, False, [], ["a"], {}, {"a": 1}]


def code_of(field: serializers.Field[Any, Any, Any, Any], value: Any) -> Any:
    """The code with which `field` refuses `value`."""
    with pytest.raises(ValidationError) as refused:
        field.run_validation(value)
    return refused.value.get_codes()


@pytest.mark.parametrize("value", NOT_STRINGS)
@pytest.mark.parametrize("kind", [StrictCharField, CallerIdField, CountryField, PhoneField, StrictEmailField])
def test_what_is_no_string_is_not_made_one(kind: type[StrictCharField], value: Any) -> None:
    assert code_of(kind(), value) == ["not_a_string"]


@pytest.mark.parametrize("value", NOT_STRINGS)
def test_a_choice_is_a_string(value: Any) -> None:
    assert code_of(StrictChoiceField(choices=["1", "True", "a"]), value) == ["invalid_choice"]


def test_what_was_not_a_choice_is_not_repeated() -> None:
    with pytest.raises(ValidationError) as refused:
        StrictChoiceField(choices=["a"]).run_validation("4242424242424242")
    assert "4242" not in str(refused.value.detail)


@pytest.mark.parametrize("value", ["true", "false", 1, 0, "1", "on", [], {}, Decimal(1)])
def test_a_boolean_is_true_or_false(value: Any) -> None:
    assert StrictBooleanField().run_validation(True) is True
    assert code_of(StrictBooleanField(), value) == ["invalid"]


@pytest.mark.parametrize("value", ["1", 1.0, Decimal("1.0"), True, [], {}, None])
def test_an_integer_is_an_integer(value: Any) -> None:
    assert StrictIntegerField().run_validation(7) == 7
    assert code_of(StrictIntegerField(), value) in (["invalid"], ["null"])


@pytest.mark.parametrize("text", ["a\x00b", "a\x01b", "a\nb", "a\tb", "a\x7fb", "a\x85b"])
def test_a_line_has_no_control_characters(text: str) -> None:
    assert code_of(StrictCharField(), text) == ["control_character"]


def test_many_lines_may_have_line_ends() -> None:
    assert StrictCharField(multiline=True).run_validation("a\r\n\tb") == "a\r\n\tb"
    assert code_of(StrictCharField(multiline=True), "a\x00b") == ["control_character"]


def test_lone_surrogates_are_refused_without_the_parser_too() -> None:
    assert code_of(StrictCharField(), "a\ud800b") == ["surrogate_characters_not_allowed"]


def test_card_numbers_are_refused_in_free_text_and_not_repeated() -> None:
    with pytest.raises(ValidationError) as refused:
        StrictCharField().run_validation("my card is 4242 4242 4242 4242")
    assert refused.value.get_codes() == ["card_number"]
    assert "4242" not in str(refused.value.detail)


@pytest.mark.parametrize(
    "identifier", ["a", "seller-1", "order:2026.11~x_y@z+1", "7", "order-4242424242424242", "x" * 64]
)
def test_ids_that_shops_use_are_taken(identifier: str) -> None:
    assert CallerIdField().run_validation(identifier) == identifier


@pytest.mark.parametrize(
    ("identifier", "code"),
    [
        ("", "blank"),
        (" a", "invalid"),
        ("a ", "invalid"),
        ("a/b", "invalid"),
        ("..", "invalid"),
        ("-a", "invalid"),
        ("é", "invalid"),
        ("a\n", "control_character"),
        ("x" * 65, "invalid"),
        ("1234567890123", "bare_digits"),
        ("4242424242424242", "bare_digits"),
        ("1234-5678-9012-3456", "bare_digits"),
    ],
)
def test_other_ids_are_refused(identifier: str, code: str) -> None:
    assert code_of(CallerIdField(), identifier) == [code]


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (CountryField, ["DE", "KE"], ["de", "DEU", "D", "D1", " DE", "\uff24\uff25"]),
        (
            PhoneField,
            ["+254712345678", "+4915112345678"],
            ["0712345678", "+0712345678", "+49 151", "+1234567890123456"],
        ),
        (StrictEmailField, ["a@example.org"], ["a", "a@b", "@example.org", "a b@example.org"]),
    ],
)
def test_forms_are_checked(kind: type[StrictCharField], good: list[str], bad: list[str]) -> None:
    for value in good:
        assert kind().run_validation(value) == value
    for value in bad:
        assert code_of(kind(), value) == ["invalid"]


class Line(StrictSerializer):
    amount = StrictCharField()
    paid = StrictCharField(read_only=True)


class Order(StrictSerializer):
    name = StrictCharField()
    lines = Line(many=True)


def test_unknown_fields_are_named_together_with_the_other_errors() -> None:
    order = Order(data={"nmae": "x", "lines": [{"amount": "1"}, {"amount": 1, "price": "2", "paid": "3"}]})
    assert not order.is_valid()
    codes = order.errors
    assert codes["name"][0].code == "required"
    assert codes["nmae"][0].code == "unknown_field"
    line = codes["lines"][1]
    assert {name: errors[0].code for name, errors in line.items()} == {
        "amount": "not_a_string",
        "price": "unknown_field",
        "paid": "unknown_field",
    }


def test_known_fields_are_taken() -> None:
    order = Order(data={"name": "x", "lines": [{"amount": "1"}]})
    assert order.is_valid(), order.errors
    assert order.validated_data == {"name": "x", "lines": [{"amount": "1"}]}


@pytest.mark.parametrize("data", [[], "text", 1, None, [1]])
def test_an_object_is_asked_for(data: Any) -> None:
    assert not Order(data=data).is_valid()


@pytest.mark.parametrize("lines", ["text", 1, None, [1], {"amount": "1"}])
def test_a_list_of_objects_is_asked_for(lines: Any) -> None:
    assert not Order(data={"name": "x", "lines": lines}).is_valid()
