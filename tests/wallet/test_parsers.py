"""The strict JSON parser against bodies that two readers could understand differently."""

import io
import json
from decimal import Decimal
from typing import Any

import pytest
from rest_framework.exceptions import APIException, UnsupportedMediaType, ValidationError

from wallet.api.parsers import MAX_BODY_BYTES, MAX_DEPTH, StrictJSONParser, parse_object


def nested(depth: int) -> bytes:
    """An object with `depth` levels."""
    return b'{"a":' * depth + b"1" + b"}" * depth


def test_a_plain_body_is_read() -> None:
    assert parse_object('{"a": "12.50", "b": [1, true, null, "é😀"]}'.encode()) == {
        "a": "12.50",
        "b": [1, True, None, "é😀"],
    }


def test_fractions_are_exact() -> None:
    assert parse_object(b'{"a": 0.1}') == {"a": Decimal("0.1")}
    assert parse_object(b'{"a": 10000000000000000000}') == {"a": 10**19}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "malformed_json"),
        (b"{", "malformed_json"),
        (b"{'a': 1}", "malformed_json"),
        (b'{"a": 1,}', "malformed_json"),
        (b'{"a": 01}', "malformed_json"),
        (b'{"a": 1} {"a": 2}', "malformed_json"),
        (b'{"a": "\x01"}', "malformed_json"),
        (b'{"a": NaN}', "malformed_json"),
        (b'{"a": Infinity}', "malformed_json"),
        (b'{"a": -Infinity}', "malformed_json"),
        (b"\xef\xbb\xbf{}", "malformed_json"),
        (b"[]", "not_an_object"),
        (b'"text"', "not_an_object"),
        (b"null", "not_an_object"),
        (b"1", "not_an_object"),
        (b'{"a": 1e308}', "number_out_of_range"),
        (b'{"a": 1e-308}', "number_out_of_range"),
        (b'{"a": 1e99999999999999999999}', "number_out_of_range"),
        (b'{"a": ' + b"9" * 5000 + b"}", "number_out_of_range"),
        (b'{"a": 0.' + b"1" * 5000 + b"}", "number_out_of_range"),
        ('{"a": "é"}'.encode("latin-1"), "invalid_utf8"),
        ('{"a": 1}'.encode("utf-16"), "invalid_utf8"),
        (b'{"a": "\xed\xa0\x80"}', "invalid_utf8"),
        (b'{"a": "\xc0\x80"}', "invalid_utf8"),
        (b'{"a":' * 100_00 + b"1" + b"}" * 100_00, "too_deep"),
        (b'{"a": ' + b"[" * 100_000, "too_deep"),
        (b'{"a": "' + b"x" * MAX_BODY_BYTES + b'"}', "body_too_large"),
    ],
)
def test_a_body_that_is_not_one_clear_object_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(APIException) as refused:
        parse_object(body)
    assert refused.value.get_codes() == code
    assert 400 <= refused.value.status_code < 500


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        (b'{"a": 1, "a": 1}', "a", "duplicate_key"),
        (b'{"o": [{"x": 1}, {"y": {"z": 1, "z": 2}}]}', "o[1].y.z", "duplicate_key"),
        (b'{"a": 1, "\\u0061": 2}', "a", "duplicate_key"),
        (b'{"o": [{"name": "a\\u0000b"}]}', "o[0].name", "null_character"),
        (b'{"a\\u0000b": 1}', "a\N{REPLACEMENT CHARACTER}b", "null_character"),
        (b'{"a": "\\ud800"}', "a", "lone_surrogate"),
        (b'{"a": ["x", "\\udc00\\ud800"]}', "a[1]", "lone_surrogate"),
        (b'{"\\udfff": 1}', "\N{REPLACEMENT CHARACTER}", "lone_surrogate"),
        (nested(MAX_DEPTH + 1), ".".join("a" * MAX_DEPTH), "too_deep"),
    ],
)
def test_a_refused_value_is_named_by_its_path(body: bytes, field: str, code: str) -> None:
    with pytest.raises(ValidationError) as refused:
        parse_object(body)
    assert refused.value.get_codes() == {field: [code]}


def test_a_surrogate_pair_is_one_character() -> None:
    assert parse_object(b'{"a": "\\ud83d\\ude00"}') == {"a": "😀"}


def test_the_deepest_allowed_body_is_read() -> None:
    assert json.dumps(parse_object(nested(MAX_DEPTH))).count("{") == MAX_DEPTH


def test_all_faults_are_named_but_not_without_end() -> None:
    with pytest.raises(ValidationError) as refused:
        parse_object(b'{"a": "\\u0000", "b": "\\ud800", "c": 1, "c": 2}')
    assert refused.value.get_codes() == {
        "a": ["null_character"],
        "b": ["lone_surrogate"],
        "c": ["duplicate_key"],
    }
    with pytest.raises(ValidationError) as many:
        parse_object(json.dumps({"a": ["\x00"] * 1000}).encode())
    assert isinstance(many.value.detail, dict)
    assert len(many.value.detail) == 50


@pytest.mark.parametrize(
    "media_type", ["application/json", "application/json; charset=utf-8", 'application/json; charset="UTF-8"']
)
def test_utf8_may_be_named(media_type: str) -> None:
    assert StrictJSONParser().parse(io.BytesIO(b"{}"), media_type) == {}


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json; charset=latin-1",
        "application/json; charset=utf-16",
        "application/json; charset*=bogus''utf-8",
    ],
)
def test_another_charset_is_refused(media_type: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        StrictJSONParser().parse(io.BytesIO(b"{}"), media_type)


def test_no_more_than_the_limit_is_read() -> None:
    class Counting(io.BytesIO):
        asked = 0

        def read(self, size: int | None = -1, /) -> bytes:
            self.asked = size or 0
            return super().read(size)

    stream: Any = Counting(b"x" * (MAX_BODY_BYTES * 3))
    with pytest.raises(APIException):
        StrictJSONParser().parse(stream, "application/json")
    assert stream.asked == MAX_BODY_BYTES + 1
