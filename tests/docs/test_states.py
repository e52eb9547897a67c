"""docs/states.md says what payments/states.py says."""

import re

import pytest

from payments import states
from payments.services import admission, cancellations
from payments.states import DISCREPANCY_EDGES, PendingReason
from paymentsite import state_diagrams
from tests.docs.reading import DOCS, PROJECT, code, section, table

TEXT = (DOCS / "states.md").read_text()


def test_the_diagrams_are_those_of_the_code() -> None:
    assert state_diagrams.drawn(TEXT) == TEXT, "run: python manage.py state_diagrams"


def test_a_changed_graph_changes_its_diagram(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "DISCREPANCY_EDGES", {**DISCREPANCY_EDGES, "RESOLVED": ("OPEN",)})
    assert "RESOLVED --> OPEN" in state_diagrams.drawn(TEXT)


def test_a_graph_without_a_diagram_is_missed() -> None:
    with pytest.raises(ValueError, match="no diagram of refund"):
        state_diagrams.drawn(TEXT.replace("<!-- diagram: refund -->", ""))


def test_every_reason_to_wait_is_explained() -> None:
    rows = table(section(TEXT, "### While it is open: `pending_reason`"))
    assert [code(row[0]) for row in rows[1:]] == PendingReason.values


def test_every_failure_code_is_explained() -> None:
    explained = {code(row[0]) for row in table(section(TEXT, "### When it has failed: `failure_code`"))}
    source = (PROJECT / "payments" / "facts" / "moves.py").read_text()
    prefixes = set(re.findall(r'return f"(\w+):', source))
    assert prefixes == {"declined", "refused"}
    assert {f"{prefix}:<code>" for prefix in prefixes} < explained
    assert {admission.REFUSED, cancellations.CANCELED, cancellations.EXPIRED} < explained
