"""What the import linter cannot see: arrows between tables, names in strings, arithmetic beside money.py."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import current_app
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db.models import DecimalField, Model

from payments.bell import BELLS

PROJECT = Path(__file__).resolve().parent.parent
STACK = ("ledger", "wallet", "payments", "reconciliation", "paymentsite")
"""From the bottom up."""
AGGREGATES = {"Sum", "Avg", "Min", "Max", "StdDev", "Variance"}
CORE = (
    "services",
    "models",
    "facts",
    "bookkeeping",
    "records",
    "representation",
    "retries",
    "states",
    "money",
    "chart",
)
HTTP_MODULES = (
    "django.http",
    "django.views",
    "django.shortcuts",
    "django.urls",
    "rest_framework",
    "requests",
    "http.client",
)
RANDOM = {
    "uuid1",
    "uuid4",
    "uuid7",
    "now",
    "token_hex",
    "token_urlsafe",
    "random",
    "randint",
    "choice",
    "set",
}
NOT_ADAPTERS = {"base", "capabilities", "registry", "http", "__init__"}


def modules() -> Iterator[tuple[Path, ast.Module]]:
    """Every module of the apps but migrations, parsed."""
    for app in STACK:
        for path in sorted((PROJECT / app).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path.relative_to(PROJECT), ast.parse(path.read_text())


def test_no_relation_points_up_the_stack() -> None:
    pointing_up = []
    for model in apps.get_models(include_auto_created=True):
        owner = model._meta.app_label
        for field in model._meta.get_fields():
            target = field.related_model
            if owner not in STACK or field.auto_created or not isinstance(target, type):
                continue
            other = target._meta.app_label if issubclass(target, Model) else ""
            if other in STACK and STACK.index(other) > STACK.index(owner):
                pointing_up.append(f"{model._meta.label}.{field.name} -> {target._meta.label}")
    assert pointing_up == []


def money_columns() -> set[str]:
    """Names of all columns that hold amounts."""
    return {
        field.name
        for model in apps.get_models()
        if model._meta.app_label in STACK
        for field in model._meta.get_fields()
        if isinstance(field, DecimalField)
    }


def called(node: ast.AST) -> str:
    """`F` for F(...), models.F(...); nothing for what is no call."""
    if not isinstance(node, ast.Call):
        return ""
    return getattr(node.func, "id", getattr(node.func, "attr", ""))


def column(node: ast.AST) -> str | None:
    """The column that F("a__b") or Sum("a__b") is about; None when the code does not say it in a string."""
    if isinstance(node, ast.Call) and node.args:
        first = node.args[0]
        if called(first) == "F":
            return column(first)
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            return first.value.rsplit("__", 1)[-1]
    return None


def arithmetic_on_money(node: ast.AST, columns: set[str]) -> Iterator[int]:
    """Lines that calculate with F() on an amount, or aggregate one: both forget the currency.

    A check constraint may: it compares columns of one row, which has one currency.
    """
    if called(node) == "CheckConstraint":
        return
    if isinstance(node, ast.BinOp):
        operands = [side for side in (node.left, node.right) if called(side) == "F"]
        if any(column(side) in columns | {None} for side in operands):
            yield node.lineno
    elif isinstance(node, ast.Call) and called(node) in AGGREGATES and column(node) in columns | {None}:
        yield node.lineno
    for child in ast.iter_child_nodes(node):
        yield from arithmetic_on_money(child, columns)


def test_no_arithmetic_on_money_outside_money() -> None:
    columns = money_columns()
    found = [
        f"{path}:{line}"
        for path, tree in modules()
        if path != Path("ledger/money.py")
        for line in arithmetic_on_money(tree, columns)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ('F("refunded") + Money(1, "USD")', True),
        ('Order.objects.update(left=models.F("captured") - models.F("refunded"))', True),
        ('Order.objects.aggregate(Sum("lines__amount"))', True),
        ("Order.objects.aggregate(models.Sum(name))", True),
        ('Try.objects.update(tries=F("tries") + 1)', False),
        ('Order.objects.aggregate(Count("id"), Max("created_at"))', False),
        ("sum(numbers)", False),
        ('CheckConstraint(condition=Q(captured__gte=F("refunded") + F("amount")))', False),
    ],
)
def test_the_check_for_arithmetic_sees_it(code: str, wrong: bool) -> None:
    found = list(arithmetic_on_money(ast.parse(code), {"captured", "refunded", "amount"}))
    assert bool(found) is wrong


def test_every_bell_is_answered_by_a_registered_task() -> None:
    current_app.loader.import_default_modules()
    missing = {name: bell.task for name, bell in BELLS.items() if bell.task not in current_app.tasks}
    assert missing == {}


def test_every_process_rings_with_our_celery_application() -> None:
    assert current_app.main == "paymentsite"
    assert current_app.conf.broker_url == settings.REDIS_URL


def test_every_queue_of_a_bell_has_a_worker() -> None:
    procfile = (PROJECT / "Procfile").read_text()
    served = {queue for queues in re.findall(r"--queues (\S+)", procfile) for queue in queues.split(",")}
    assert {bell.queue for bell in BELLS.values()} <= served
    assert settings.CELERY_TASK_DEFAULT_QUEUE in served


def test_parameters_of_tests_are_the_same_in_every_process() -> None:
    """The workers of pytest-xdist must collect the same names; a random value gets a name by `ids`."""
    found = []
    for path in sorted((PROJECT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if called(node) == "parametrize" and isinstance(node, ast.Call):
                named = any(keyword.arg == "ids" for keyword in node.keywords)
                if not named and any(called(part) in RANDOM for part in ast.walk(node)):
                    found.append(f"{path.relative_to(PROJECT)}:{node.lineno}")
    assert found == []


def test_the_processes_have_names_of_their_own() -> None:
    names = re.findall(r"^([\w-]+):", (PROJECT / "Procfile").read_text(), re.MULTILINE)
    assert len(names) == len(set(names)) > 0


def test_the_core_does_not_import_http() -> None:
    found = []
    for path, tree in modules():
        if len(path.parts) < 2 or path.parts[1].removesuffix(".py") not in CORE:
            continue
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{path}:{name}" for name in names if name.startswith(HTTP_MODULES)]
    assert found == []


def test_every_adapter_is_under_the_contract_that_nobody_imports_it() -> None:
    contracts = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = [one for one in contracts if one["name"] == "Nobody imports a PSP's adapter"]
    present = {path.stem for path in (PROJECT / "payments" / "psp").iterdir() if path.suffix in (".py", "")}
    adapters = present - NOT_ADAPTERS - {"__pycache__"}
    assert set(contract["protected_modules"]) == {f"payments.psp.{name}" for name in adapters}


def test_every_adapter_named_in_the_settings_lives_in_its_room() -> None:
    backends = {provider["BACKEND"] for provider in settings.PAYMENT_PROVIDERS.values()}
    assert all(re.fullmatch(r"payments\.psp\.\w+(\.\w+)*", backend) for backend in backends)


@pytest.mark.django_db
def test_the_migrations_hold_the_models() -> None:
    call_command("makemigrations", "--check", "--dry-run", "--verbosity", "0")


@pytest.mark.parametrize("name", ["requirements", "requirements-dev", "requirements-bootstrap"])
def test_lock_files_name_no_machine_and_pin_by_hash(name: str) -> None:
    lock = (PROJECT / f"{name}.txt").read_text()
    assert lock.startswith("# This file was autogenerated by uv via the following command:\n#    make lock\n")
    assert "://" not in lock
    pins = re.findall(r"^\S+==[^\\]+\\\n    --hash=sha256:", lock, re.MULTILINE)
    assert len(pins) == len(re.findall(r"^[A-Za-z0-9]", lock, re.MULTILINE)) > 0
    wanted = re.findall(r"^([a-z0-9][a-z0-9-]*)", (PROJECT / f"{name}.in").read_text(), re.MULTILINE)
    assert [package for package in wanted if not re.search(rf"^{package}==", lock, re.MULTILINE)] == []
