"""Imports point down: the layers of graphcert, read from the source of the whole package."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import graphcert

ROOT = Path(graphcert.__file__).parent
LAYERS = [
    ("_version", "errors"), ("verification",), ("core",),
    ("statistics",), ("noise",), ("tradeoff",), ("collective",), ("votes",), ("certificates",), ("data",),
    ("sampling",), ("models",), ("voting",), ("images", "outputs", "points", "attacks"),
    ("report",), ("run",), ("experiments",), ("tuning",), ("cli",),
    ("__main__",),
]  # fmt: skip
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
PURE = [
    "errors",
    "verification",
    "core",
    "statistics",
    "noise",
    "tradeoff",
    "votes",
    "certificates",
    "collective",
]
HEAVY = {"torch", "torch_geometric", "torch_scatter"}


def imported(path: Path, package: tuple[str, ...]) -> set[str]:
    """Absolute dotted names of everything that a source file imports, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            origin = ".".join([*base, *([node.module] if node.module else [])])
            names |= {f"{origin}.{alias.name}" for alias in node.names}
    return names


def arrows(root: Path) -> list[tuple[str, str, str]]:
    """(file, layer, imported name) for every import in every module below the package root."""
    found = []
    for path in sorted(root.rglob("*.py")):
        inside = path.relative_to(root)
        if inside == Path("__init__.py"):
            continue  # its public names are lazy
        layer = inside.parts[0].removesuffix(".py")
        package = ("graphcert", *inside.parent.parts)
        found += [(str(inside), layer, name) for name in sorted(imported(path, package))]
    return found


def upward(root: Path) -> list[str]:
    """Descriptions of the arrows that do not point down."""
    wrong = []
    for file, layer, name in arrows(root):
        parts = name.split(".")
        if parts[0] != "graphcert" or parts[1:2] in ([layer], []):
            continue
        target = "_version" if parts[1] == "__version__" else parts[1]
        if RANK.get(target, len(LAYERS)) >= RANK.get(layer, -1):
            wrong.append(f"{file} imports {name}")
    return wrong


def test_every_module_belongs_to_a_layer() -> None:
    modules = {path.stem if path.is_file() else path.name for path in ROOT.iterdir() if path.name != "__pycache__"}
    assert modules - {"__init__", "py"} <= set(RANK), "add the new layer to LAYERS, at its place"


def test_imports_point_down() -> None:
    assert upward(ROOT) == []


def test_verification_shares_nothing_with_what_it_checks() -> None:
    allowed = {"graphcert.errors", "graphcert.verification", "numpy", "scipy", *sys.stdlib_module_names}
    foreign = [
        f"{file} imports {name}"
        for file, layer, name in arrows(ROOT)
        if layer == "verification" and not any(name == one or name.startswith(f"{one}.") for one in allowed)
    ]
    assert foreign == []


def test_only_what_shows_a_result_hands_over_to_a_layer_above() -> None:
    late = {file for file, _, name in arrows(ROOT) if name.startswith("graphcert.core.late")}
    assert late == {"certificates/shown.py", "collective/curve.py"}


def test_pure_layers_do_not_name_torch() -> None:
    heavy = [
        f"{file} imports {name}" for file, layer, name in arrows(ROOT) if layer in PURE and name.split(".")[0] in HEAVY
    ]
    assert heavy == []


@pytest.mark.parametrize(
    "line",
    [
        "import graphcert.voting",
        "from graphcert.sampling import draw",
        "from graphcert import certificates",
        "from ..cli import main",
        "from .. import run",
        "def late():\n    from graphcert.models import GCN",
        "from graphcert.unheard_of import thing",
    ],
)
def test_an_upward_arrow_is_seen(tmp_path: Path, line: str) -> None:
    (tmp_path / "noise").mkdir()
    (tmp_path / "noise" / "laws.py").write_text(line)
    assert len(upward(tmp_path)) == 1


def test_pure_layers_load_without_torch() -> None:
    existing = [name for name in PURE if (ROOT / name).exists() or (ROOT / f"{name}.py").exists()]
    lines = [
        *(f"import graphcert.{name}" for name in existing),
        "import sys",
        f"assert not {HEAVY!r} & set(sys.modules)",
    ]
    result = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_no_module_binds_a_name_twice() -> None:
    """Functions look their constants up when they run, so a second `_GUARD` below would become that of those above."""
    for path in ROOT.rglob("*.py"):
        body = ast.parse(path.read_text()).body
        plain = [target for node in body if isinstance(node, ast.Assign) for target in node.targets]
        annotated = [node.target for node in body if isinstance(node, ast.AnnAssign)]
        bound = [name.id for part in (*plain, *annotated) for name in ast.walk(part) if isinstance(name, ast.Name)]
        assert len(bound) == len(set(bound)), f"{path} binds a name twice"


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["certify", "--help"], ["segment", "train", "--help"], ["classify", "--help"], ["--version"]],
)
def test_help_comes_without_torch(arguments: list[str]) -> None:
    lines = [
        "import sys",
        "from graphcert.cli import main",
        f"sys.argv = ['graphcert', *{arguments!r}]",
        "try:",
        "    main()",
        "except SystemExit:",
        "    pass",
        f"assert not {HEAVY!r} & set(sys.modules)",
    ]
    result = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
