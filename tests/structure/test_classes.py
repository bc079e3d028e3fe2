"""No class knows everything: a bound on what any class of the product holds."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.services import ROOT

PRODUCT = (
    *("application", "domain", "read_models", "infrastructure", "subscriptions", "command_api", "query_api"),
    *(
        "projector",
        "process_manager",
        "event_relay",
        "inbound",
        "payment_webhooks",
        "signing_page",
        "monolith",
        "embedded",
        "examples",
        "ops",
    ),
)
MOST_ATTRIBUTES = 15
MOST_LINES = 250
# A view's document has a field for each thing that a dashboard shows, the settings one for each of their groups, the
# ports one for each service; they do nothing.
DOCUMENTS = {"ContractDocument", "OrderDetails", "PaymentDocument", "Ports", "Settings"}


def classes(package: str) -> Iterator[tuple[Path, ast.ClassDef]]:
    """Every class of a package, those within others too."""
    for file in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef):
                yield file, node


def attributes(node: ast.ClassDef) -> set[str]:
    """What is assigned to `self` anywhere in it, and the fields that it declares."""
    assigned = {
        one.attr
        for one in ast.walk(node)
        if isinstance(one, ast.Attribute)
        and isinstance(one.ctx, ast.Store)
        and isinstance(one.value, ast.Name)
        and one.value.id == "self"
    }
    declared = {
        one.target.id for one in node.body if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
    }
    return assigned | declared


@pytest.mark.parametrize("package", PRODUCT)
def test_no_class_holds_too_much(package: str) -> None:
    for file, node in classes(package):
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        held = attributes(node)
        assert lines <= MOST_LINES, f"{file}: {node.name} has {lines} lines"
        assert len(held) <= MOST_ATTRIBUTES or node.name in DOCUMENTS, f"{file}: {node.name} holds {sorted(held)}"


def test_what_is_counted(tmp_path: Path) -> None:
    source = "class A:\n    a: int\n    def f(self):\n        self.b = self.c = 1\n        self.d += self.e\n"
    (node,) = (one for one in ast.walk(ast.parse(source)) if isinstance(one, ast.ClassDef))
    assert attributes(node) == {"a", "b", "c", "d"}
