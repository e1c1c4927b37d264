"""The table of planted mistakes fits the code of today; `python -m tests.mutations` plants them."""

import ast
import re
from pathlib import Path

import pytest
from traps import MUTATIONS, Mutation

import graphcert

PACKAGE = Path(graphcert.__file__).parent
TESTS = Path(__file__).parents[1]


def test_every_trap_has_a_mutation() -> None:
    page = (TESTS.parent / "docs" / "guarantees.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| (\d+) \|", page.partition("\n## Traps")[2], re.MULTILINE)
    assert [int(number) for number in listed] == sorted({mutation.trap for mutation in MUTATIONS})


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: f"{one.trap}-{one.edits[0].file}")
def test_every_edit_applies_and_every_test_exists(mutation: Mutation) -> None:
    files = {edit.file: (PACKAGE / edit.file).read_text(encoding="utf-8") for edit in mutation.edits}
    for edit in mutation.edits:
        assert files[edit.file].count(edit.old) == 1, f"{edit.old!r} in {edit.file}: write this row of traps.py anew"
        files[edit.file] = files[edit.file].replace(edit.old, edit.new)
    for file, source in files.items():
        compile(source, file, "exec")
    for test in mutation.tests:
        path, _, name = test.partition("::")
        tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, f"{test} is gone"
