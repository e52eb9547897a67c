"""The guards of conftest.py see what they are there for."""

import socket
from collections.abc import Iterator

import pytest
from django.db import transaction

from ledger import boundary
from payments.models import RetryStrategy
from tests.conftest import NetworkInsideTransaction


@pytest.fixture
def listener() -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()


@pytest.mark.django_db
def test_connecting_inside_a_transaction_is_refused(listener: tuple[str, int]) -> None:
    with transaction.atomic(), pytest.raises(NetworkInsideTransaction):
        socket.create_connection(listener)


@pytest.mark.django_db(transaction=True)
def test_connecting_inside_the_outermost_transaction_is_refused_too(listener: tuple[str, int]) -> None:
    with transaction.atomic(), pytest.raises(NetworkInsideTransaction):
        socket.create_connection(listener)


@pytest.mark.django_db
def test_sending_over_a_kept_connection_inside_a_transaction_is_refused(listener: tuple[str, int]) -> None:
    kept = socket.create_connection(listener)
    with kept, transaction.atomic(), pytest.raises(NetworkInsideTransaction):
        kept.sendall(b"money")


@pytest.mark.django_db
def test_the_tests_own_transaction_does_not_count(listener: tuple[str, int]) -> None:
    with socket.create_connection(listener) as connection:
        connection.sendall(b"hello")


@pytest.mark.parametrize("time", ["first", "second"])
def test_a_hook_that_a_test_leaves_behind_is_gone_in_the_next(time: str) -> None:
    assert boundary._hook is None, f"the {time} of two equal tests"
    boundary.install(lambda name: None)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("time", ["first", "second"])
def test_rows_of_the_first_day_are_back_after_the_tables_were_emptied(time: str) -> None:
    assert RetryStrategy.objects.exists(), f"the {time} of two tests that empty all tables"
