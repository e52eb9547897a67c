"""The books in the admin: readable, and nothing else."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse as url_of

from ledger.models import Account, JournalEntry
from ledger.services import post
from tests.ledger.building import COMMISSION, RECEIVABLE, entry, funded

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> Client:
    """Logged in with every permission there is."""
    client.force_login(User.objects.create_superuser("finance", "finance@example.org", "a long password"))
    return client


def test_accounts_are_listed_with_what_they_hold(staff: Client) -> None:
    funded("1234.50")
    page = staff.get(url_of("admin:ledger_account_changelist")).content.decode()
    assert RECEIVABLE in page
    assert page.count("1,234.50") == 2


def test_an_entry_shows_its_postings_as_debits_and_credits(staff: Client) -> None:
    posted = post(entry((RECEIVABLE, "70.25"), (COMMISSION, "-70.25"), reference="capture:1"))
    assert "capture:1" in staff.get(url_of("admin:ledger_journalentry_changelist")).content.decode()
    page = staff.get(url_of("admin:ledger_journalentry_change", args=[posted.entry_id])).content.decode()
    assert page.count("70.25") == 2
    assert RECEIVABLE in page
    assert COMMISSION in page


@pytest.mark.parametrize("model", ["account", "journalentry"])
def test_nobody_adds_changes_or_deletes(staff: Client, model: str) -> None:
    funded(1)
    assert staff.get(url_of(f"admin:ledger_{model}_add")).status_code == 403
    change = url_of(f"admin:ledger_{model}_changelist")
    page = staff.get(change).content.decode()
    assert "delete_selected" not in page
    from_page = url_of(f"admin:ledger_{model}_change", args=[first_id(model)])
    assert staff.post(from_page, {"frozen": "on", "description": "edited"}).status_code == 403
    assert (
        staff.post(
            url_of(f"admin:ledger_{model}_delete", args=[first_id(model)]), {"post": "yes"}
        ).status_code
        == 403
    )


def first_id(model: str) -> int:
    """The id of any row of the model."""
    return (Account.objects.all()[0] if model == "account" else JournalEntry.objects.all()[0]).id
