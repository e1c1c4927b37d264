"""No test depends on chance: every generator is seeded, and a failure says how to repeat it."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

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


DRAWS = """
import random
import numpy, torch
from hypothesis import given, strategies
from seeds import fresh_rng, fresh_seed

def test_numbers():
    every = fresh_rng().random(), fresh_rng().random(), fresh_seed(), random.random(), torch.rand(1).item()
    assert len(set(every)) == 5
    assert not every

@given(strategies.integers())
def test_examples(number):
    assert number < 1000
"""


def failures(folder: Path, *options: str, seed: int | None = None) -> str:
    """What pytest prints about `DRAWS`, without times."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("GRAPHCERT", "PYTEST"))}
    environment |= {"PYTHONPATH": str(HERE)} | ({} if seed is None else {"GRAPHCERT_TEST_SEED": str(seed)})
    (folder / "test_draws_of_a_run.py").write_text(DRAWS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "conftest", "-p", "no:cacheprovider", *options, str(folder)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout.rpartition(" in ")[0]


def test_failures_repeat_and_print_their_seed(tmp_path: Path) -> None:
    plain, again = failures(tmp_path), failures(tmp_path)
    assert plain == again
    assert "repeat with GRAPHCERT_TEST_SEED=0" in plain
    free = failures(tmp_path, "--hypothesis-profile=free", "--hypothesis-seed=7", seed=7)
    assert "repeat with GRAPHCERT_TEST_SEED=7" in free
    assert "@reproduce_failure" in free
    assert free.partition("test_examples")[0] != plain.partition("test_examples")[0]
