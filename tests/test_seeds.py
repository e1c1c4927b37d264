"""No test depends on chance: every generator is seeded, and a failure says how to repeat it."""

import ast
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import seeds
import torch
from seeds import fresh_rng, fresh_seed

HERE = Path(__file__).parent

# Called without arguments these are seeded by the operating system; the names of `OF_THE_SYSTEM` always are.
GENERATORS = {"default_rng", "Random", "RandomState", "SeedSequence", "PCG64", "Philox", "SFC64", "MT19937"}
OF_THE_SYSTEM = {"secrets", "urandom", "SystemRandom", "uuid1", "uuid4", "getrandom"}


def is_none(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def perhaps_none(function: ast.FunctionDef) -> set[str]:
    """The parameters of a function whose default is None."""
    spec = function.args
    positional = [*spec.posonlyargs, *spec.args]
    pairs = [
        *zip(reversed(positional), reversed(spec.defaults), strict=False),
        *zip(spec.kwonlyargs, spec.kw_defaults, strict=True),
    ]
    return {parameter.arg for parameter, default in pairs if is_none(default)}


def unseeded(source: str) -> list[int]:
    """The lines on which a generator gets its seed from the operating system."""
    found: set[int] = set()

    def visit(node: ast.AST, none: set[str]) -> None:
        if isinstance(node, ast.FunctionDef):
            none = none | perhaps_none(node)
        names = {getattr(node, "id", ""), getattr(node, "attr", ""), getattr(node, "module", None) or ""}
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in GENERATORS:
            seeds = [*node.args, *(keyword.value for keyword in node.keywords)]
            if all(is_none(seed) or getattr(seed, "id", "") in none for seed in seeds):
                found.add(node.lineno)
        if names & OF_THE_SYSTEM:
            found.add(node.lineno)  # type: ignore[attr-defined]
        for child in ast.iter_child_nodes(node):
            visit(child, none)

    visit(ast.parse(source), set())
    return sorted(found)


@pytest.mark.parametrize("file", sorted(HERE.rglob("*.py")), ids=lambda file: str(file.relative_to(HERE)))
def test_every_generator_is_seeded(file: Path) -> None:
    assert not unseeded(file.read_text(encoding="utf-8")), "take fresh_rng() or fresh_seed() of tests/seeds.py"


@pytest.mark.parametrize(
    "line",
    [
        "np.random.default_rng()",
        "default_rng(None)",
        "np.random.default_rng(seed=None)",
        "random.Random()",
        "np.random.RandomState()",
        "np.random.Generator(np.random.PCG64())",
        "from secrets import randbits",
        "import secrets",
        "os.urandom(8)",
        "def sample(seed=None): return default_rng(seed)",
        "def sample(*, seed=None): return random.Random(seed)",
    ],
)
def test_unseeded_generators_would_be_found(line: str) -> None:
    assert unseeded(f"x = 1\n{line}") == [2]


def test_seeded_generators_are_let_through() -> None:
    assert not unseeded("np.random.default_rng(0), random.Random(seed), fresh_rng(), default_rng([seed, 1])")
    assert not unseeded("def sample(seed=0, other=None): return default_rng(seed)")


def numbers(name: str) -> list[float]:
    """What a test of this name draws."""
    seeds.begin(name)
    return [fresh_rng().random(), fresh_rng().random(), fresh_seed(), random.random(), torch.rand(1).item()]


def test_numbers_depend_on_the_base_seed_and_the_name_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    first, other = numbers("test_first"), numbers("test_other")
    assert numbers("test_first") == first
    assert len({*first, *other}) == 10
    monkeypatch.setattr(seeds, "BASE", seeds.BASE + 1)
    assert not {*first, *other} & {*numbers("test_first")}


DRAWS = """
from hypothesis import given, strategies
from seeds import fresh_seed

def test_numbers():
    assert fresh_seed() == 0

@given(strategies.integers())
def test_examples(number):
    assert number < 1000
"""


def test_a_failure_says_how_to_repeat_it(tmp_path: Path) -> None:
    (tmp_path / "test_draws_of_a_run.py").write_text(DRAWS)
    free = ["-p", "conftest", "-p", "no:cacheprovider", "--hypothesis-profile=free", "--hypothesis-seed=7"]
    environment = {**os.environ, "PYTHONPATH": str(HERE), "GRAPHCERT_TEST_SEED": "7"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *free, str(tmp_path)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.count("repeat with GRAPHCERT_TEST_SEED=7") == 2
    assert "@reproduce_failure" in done.stdout
