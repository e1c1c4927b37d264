"""Outside of noise/ nobody asks of which kind a law or scheme is: the law answers, or an interpreter is registered."""

import ast
from pathlib import Path

import pytest

import graphcert
from graphcert.noise import LAWS

ROOT = Path(graphcert.__file__).parent
KINDS = {law.__name__ for law in LAWS} | {"Selected", "Hierarchical", "Smoothing", "Scheme", "LAWS", "Law", "RealLaw"}


def asked(source: str) -> list[int]:
    """Lines of isinstance, issubclass and type(…) comparisons that name a kind of noise, and of singledispatch on one."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("isinstance", "issubclass"):
            about: list[ast.AST] = node.args[1:]
        elif isinstance(node, ast.Compare) and any(
            isinstance(part, ast.Call) and getattr(part.func, "id", "") == "type"
            for part in [node.left, *node.comparators]
        ):
            about = [node.left, *node.comparators]
        elif isinstance(node, ast.Match):
            about = list(node.cases)
        elif isinstance(node, (ast.ImportFrom, ast.Attribute)) and "singledispatch" in ast.dump(node):
            found.append(node.lineno)
            continue
        else:
            continue
        names = {getattr(part, "id", getattr(part, "attr", "")) for one in about for part in ast.walk(one)}
        if names & KINDS:
            found.append(node.lineno)
    return found


def test_nobody_outside_asks_for_kinds_of_noise() -> None:
    files = [path for path in ROOT.rglob("*.py") if path.relative_to(ROOT).parts[0] != "noise"]
    assert len(files) > 100
    wrong = {str(path.relative_to(ROOT)): lines for path in files if (lines := asked(path.read_text(encoding="utf-8")))}
    assert wrong == {}


@pytest.mark.parametrize(
    "source",
    [
        "isinstance(law, Gaussian)",
        "isinstance(law, (int, noise.Uniform))",
        "isinstance(law, tuple(LAWS))",
        "type(law) in (BernoulliFlip, Ablation)",
        "type(law) is SubsetAblation",
        "issubclass(kind, Hierarchical)",
        "match law:\n    case Gaussian(): pass",
        "from functools import singledispatch",
    ],
)
def test_a_question_is_seen(source: str) -> None:
    assert asked(source)


def test_registering_for_a_kind_is_no_question() -> None:
    assert not asked("@trade_off_of_law.register(Gaussian)\ndef f(law: Gaussian) -> None: ...")
