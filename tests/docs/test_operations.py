"""docs/operations.md and docs/security.md say what the code says."""

import ast

from payments.services.shops import COMPANY_SCOPES, SCOPES, SHOP_SCOPES
from tests.docs.reading import DOCS, PROJECT, code, section, table

OPERATIONS = (DOCS / "operations.md").read_text()
SECURITY = (DOCS / "security.md").read_text()


def names_read_by_settings() -> set[str]:
    """Every name that settings.py asks the environment for."""
    tree = ast.parse((PROJECT / "paymentsite" / "settings.py").read_text())
    return {
        str(call.args[0].value)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "env"
        and call.args
        and isinstance(call.args[0], ast.Constant)
    }


def test_every_variable_is_explained() -> None:
    explained = {
        code(name.strip()) for row in table(section(OPERATIONS, "## Settings")) for name in row[0].split(",")
    }
    wanted = names_read_by_settings()
    assert "DATABASE_URL" in wanted
    assert explained == wanted | {"WEB_PORT", "SANDBOX_PORT"}


def test_every_process_is_explained() -> None:
    procfile = (PROJECT / "Procfile").read_text().splitlines()
    started = {line.partition(":")[0] for line in procfile if line}
    explained = {code(row[0]) for row in table(section(OPERATIONS, "## Processes"))}
    assert explained == started - {"sandbox"} | {"Valkey", "PostgreSQL"}


def test_every_scope_is_explained() -> None:
    rows = table(section(SECURITY, "## API keys"))
    assert [code(row[0]) for row in rows] == list(SCOPES)
    assert {code(row[0]) for row in rows if row[2] == "shops"} == set(SHOP_SCOPES)
    assert {code(row[0]) for row in rows if row[2] == "the company"} == set(COMPANY_SCOPES)
