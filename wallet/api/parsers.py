"""Reading a JSON body strictly: whatever two readers could understand differently is refused.

A body that is refused here names the place (`payment_orders[0].amount`), and never ends in a 500.
"""

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import IO, Any, Never

from django.http.request import UnreadablePostError
from django.utils.http import parse_header_parameters
from rest_framework import status
from rest_framework.exceptions import (
    APIException,
    ErrorDetail,
    ParseError,
    UnsupportedMediaType,
    ValidationError,
)
from rest_framework.parsers import BaseParser

MAX_BODY_BYTES = 256 * 1024
MAX_DEPTH = 20
MAX_NUMBER_LENGTH = 40
MAX_PATH_LENGTH = 200
MAX_FAULTS = 50

_SURROGATE = re.compile("[\ud800-\udfff]")


class BodyTooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "body_too_large"
    default_detail = f"The body is larger than {MAX_BODY_BYTES} bytes."


class StrictJSONParser(BaseParser):
    """JSON as RFC 8259 has it, in UTF-8, an object on top, without duplicate keys, NaN, NUL or lone
    surrogates.

    Numbers with a fraction become Decimal; a field that wants a string refuses every number by itself.
    """

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        _refuse_other_charset(media_type or "")
        try:
            body = stream.read(MAX_BODY_BYTES + 1)
        except UnreadablePostError as error:
            raise ParseError("The body ended before its announced length.", "unreadable_body") from error
        return parse_object(body)


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`.

    Raises:
        BodyTooLarge: more than `MAX_BODY_BYTES` (413).
        ParseError: not UTF-8, not JSON, not an object, a number out of all proportion (400).
        ValidationError: the places of duplicate keys, NUL, lone surrogates, too deep nesting (400).
    """
    if len(body) > MAX_BODY_BYTES:
        raise BodyTooLarge
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ParseError(f"The body is not UTF-8 (byte {error.start}).", "invalid_utf8") from error
    try:
        value = json.loads(
            text,
            object_pairs_hook=_Object,
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=_refuse_constant,
        )
    except json.JSONDecodeError as error:
        raise ParseError(
            f"The body is not JSON: line {error.lineno}, column {error.colno}.", "malformed_json"
        ) from error
    except RecursionError as error:
        raise ParseError(f"The body is nested deeper than {MAX_DEPTH} levels.", "too_deep") from error
    if not isinstance(value, _Object):
        raise ParseError("The body must be a JSON object.", "not_an_object")
    errors = {path: [detail] for path, detail in islice(_faults(value), MAX_FAULTS)}
    if errors:
        raise ValidationError(errors)
    return value


class _Object(dict[str, Any]):
    """A JSON object that remembers the keys that came twice, until their path is known."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.duplicates: list[str] = []
        if len(self) < len(pairs):
            seen: set[str] = set()
            for key, _ in pairs:
                if key in seen:
                    self.duplicates.append(key)
                seen.add(key)


def _faults(top: _Object) -> Iterator[tuple[str, ErrorDetail]]:
    """Every place of the parsed body that is refused, with the reason."""
    waiting: list[tuple[str, int, Any]] = [("", 1, top)]
    while waiting:
        path, depth, value = waiting.pop()
        if isinstance(value, str):
            if fault := _fault_in_text(value):
                yield path, fault
            continue
        if not isinstance(value, _Object | list):
            continue
        if depth > MAX_DEPTH:
            yield path, ErrorDetail(f"Nested deeper than {MAX_DEPTH} levels.", "too_deep")
            continue
        if isinstance(value, list):
            waiting.extend((f"{path}[{index}]", depth + 1, item) for index, item in enumerate(value))
            continue
        for key in value.duplicates:
            yield _below(path, key), ErrorDetail("This key comes more than once.", "duplicate_key")
        for key, item in value.items():
            if fault := _fault_in_text(key):
                yield _below(path, key), fault
            waiting.append((_below(path, key), depth + 1, item))


def _fault_in_text(text: str) -> ErrorDetail | None:
    if "\x00" in text:
        return ErrorDetail("NUL characters are not allowed.", "null_character")
    if _SURROGATE.search(text):
        return ErrorDetail("Lone surrogates are not Unicode text.", "lone_surrogate")
    return None


def _below(path: str, key: str) -> str:
    """The path of `key` inside `path`, printable and not longer than anybody reads."""
    readable = "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in key
    )
    return (f"{path}.{readable}" if path else readable)[:MAX_PATH_LENGTH]


def _decimal(text: str) -> Decimal:
    if len(text) > MAX_NUMBER_LENGTH:
        raise ParseError("A number in the body is too long.", "number_out_of_range")
    try:
        number = Decimal(text)
    except InvalidOperation as error:  # An exponent that Decimal cannot hold.
        raise ParseError("A number in the body is out of range.", "number_out_of_range") from error
    if abs(number.adjusted()) > MAX_NUMBER_LENGTH:  # 1e308 is short to send and long to print.
        raise ParseError("A number in the body is out of range.", "number_out_of_range")
    return number


def _integer(text: str) -> int:
    if len(text) > MAX_NUMBER_LENGTH:
        raise ParseError("A number in the body is too long.", "number_out_of_range")
    return int(text)


def _refuse_constant(name: str) -> Never:
    raise ParseError(f"{name} is not JSON.", "malformed_json")


def _refuse_other_charset(media_type: str) -> None:
    try:
        charset = parse_header_parameters(media_type)[1].get("charset", "utf-8")
    except ValueError as error:  # An unknown encoding of a parameter (RFC 2231).
        raise UnsupportedMediaType("", "The Content-Type header cannot be read.") from error
    if charset.strip('"').lower() not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedMediaType("", "The body must be UTF-8.")
