"""The documentation is true: what it names exists, what it shows runs, what it tabulates is what the package computes."""

import ast
import inspect
import logging
import re
import runpy
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import unified_diff
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import typer

import graphcert as gc
from graphcert.certificates import BudgetGrid
from graphcert.cli import app

ROOT = Path(__file__).parents[1]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("datasets/*.md")])
}
EVERYTHING = "\n".join(PAGES.values())
API = PAGES["docs/api.md"]
CHOOSING = PAGES["docs/choosing.md"]

every_page = pytest.mark.parametrize("page", PAGES)


def fences(text: str, language: str) -> list[tuple[int, str]]:
    """(line, content) of every fenced block of a language."""
    found = re.finditer(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return [(text[: match.start()].count("\n") + 2, match[1]) for match in found]


def without_fences(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """The names under which headings can be linked to."""
    headings = re.findall(r"^#+ (.+)$", without_fences(text), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


# Links and names


@every_page
def test_relative_links_resolve(page: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", without_fences(PAGES[page])):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (ROOT / page).parent / name if name else ROOT / page
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), target


# Form: what markdown wants, and one vocabulary


def lines_outside_fences(text: str) -> list[str]:
    """The lines of a page, those of fenced blocks left empty."""
    blank = re.sub(r"^```.*?^```$", lambda match: "\n" * match[0].count("\n"), text, flags=re.MULTILINE | re.DOTALL)
    return blank.splitlines()


@every_page
def test_a_page_has_one_title_and_it_comes_first(page: str) -> None:
    titles = [n for n, line in enumerate(lines_outside_fences(PAGES[page])) if line.startswith("# ")]
    assert titles == [0]


@every_page
def test_headings_lists_and_tables_stand_between_blank_lines(page: str) -> None:
    def kind(line: str) -> str:
        kinds = (r"#+ ", "heading"), (r"\|", "table"), (r"(- |\d+\. )", "list"), (r"  ", "continued"), (r"$", "blank")
        return next((name for pattern, name in kinds if re.match(pattern, line)), "text")

    lines = lines_outside_fences(PAGES[page])
    joined = {("text", "list"), ("table", "text"), ("text", "table"), ("list", "table"), ("table", "list")}
    for number, (before, after) in enumerate(pairwise(lines), start=2):
        pair = kind(before), kind(after)
        assert pair not in joined, f"{page}:{number}"
        assert "heading" not in pair or "blank" in pair, f"{page}:{number}"


@every_page
def test_rows_of_a_table_have_equally_many_cells(page: str) -> None:
    def cells(line: str) -> int:
        return len(re.findall(r"(?<!\\)\|", re.sub(r"`[^`]*`", "", line)))

    for number, (before, after) in enumerate(pairwise(lines_outside_fences(PAGES[page])), start=2):
        if before.startswith("|") and after.startswith("|"):
            assert cells(before) == cells(after), f"{page}:{number}"


OF_THE_SITE = {page.removeprefix("docs/") for page in PAGES if page.startswith("docs/")}


def test_the_map_leads_to_every_page() -> None:
    linked = set(re.findall(r"\]\(([\w/]+\.md)", PAGES["docs/README.md"]))
    assert linked == OF_THE_SITE - {"README.md"}


def test_the_navigation_of_the_site_lists_every_page_once() -> None:
    """Read as text: mkdocs has an environment of its own."""
    _, _, navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")
    listed = re.findall(r"^ +- (?:[^:\n]+: )?(\S+\.md)$", navigation, flags=re.MULTILINE)
    assert len(listed) == len(set(listed))
    beside = {page.removeprefix("repository/") for page in listed if page.startswith("repository/")}
    assert {page for page in listed if not page.startswith("repository/")} == OF_THE_SITE
    assert all((ROOT / page).is_file() for page in beside)


def test_the_docstrings_shown_are_those_of_all_public_names() -> None:
    shown = re.findall(r"^::: graphcert\.(\w+)$", PAGES["docs/reference.md"], flags=re.MULTILINE)
    assert sorted(shown) == sorted(set(gc.__all__) - {"__version__"})


@pytest.fixture(scope="module")
def pictures() -> dict[str, object]:
    return runpy.run_path(str(ROOT / "docs/pictures.py"))


@pytest.mark.parametrize("name", [path.stem for path in sorted((ROOT / "docs/pictures").glob("*.svg"))])
def test_pictures_are_what_their_script_draws(name: str, pictures: dict[str, Any]) -> None:
    assert pictures["DRAWINGS"][name]() == (ROOT / f"docs/pictures/{name}.svg").read_text(encoding="utf-8")


def test_the_glossary_has_one_sorted_line_per_term() -> None:
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", PAGES["docs/glossary.md"], flags=re.MULTILINE)[1:]
    terms = [term.lower().replace("α", "alpha") for term, _ in rows]
    assert len(terms) > 40
    assert terms == sorted(set(terms))
    assert all(meaning.endswith(".") for _, meaning in rows)


RETIRED = r"perceiv\w*|rungs?|ladders?|staircases?|spendings?|escapes?|threats?|judges?|judged|chains?|lanes?"


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("docs/") or page == "README.md"])
def test_prose_keeps_to_the_words_of_the_glossary(page: str) -> None:
    """Names of code in backticks keep their spelling, and so do addresses and drawings in indented blocks."""
    prose = [line for line in lines_outside_fences(PAGES[page]) if not line.startswith("    ")]
    text = re.sub(r"`[^`]*`|\]\([^)]*\)", "", "\n".join(prose))
    assert not re.findall(rf"\b(?:{RETIRED})\b", text, flags=re.IGNORECASE)


def definitions(file: Path) -> set[str]:
    """Dotted names of the functions, classes and methods that a source file defines."""
    found: set[str] = set()

    def visit(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                found.add(prefix + node.name)
                visit(node.body, f"{prefix}{node.name}.")

    visit(ast.parse(file.read_text(encoding="utf-8")).body, "")
    return found


def test_every_function_of_the_formula_map_exists() -> None:
    named = re.findall(r"`(graphcert/[\w/]+\.py):([\w.]+)`", PAGES["docs/theory.md"])
    assert len(named) > 20
    missing = [f"{file}:{name}" for file, name in named if name not in definitions(ROOT / file)]
    assert not missing


def test_every_test_that_is_named_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", EVERYTHING)
    assert len(named) > 10
    missing = [f"{file}::{name}" for file, name in named if name not in definitions(ROOT / file)]
    assert not missing


def test_every_file_that_is_named_exists() -> None:
    named = set(re.findall(r"`((?:graphcert|tests|benchmarks)/[\w/]+\.(?:py|j2))`", EVERYTHING))
    assert named
    assert not [name for name in named if not (ROOT / name).is_file()]
    sources = {path.name for folder in ("graphcert", "tests", "docs") for path in (ROOT / folder).rglob("*.py")}
    assert set(re.findall(r"`(\w+\.py)`", EVERYTHING)) - sources == {"mymodels.py"}  # the reader's own


def test_all_twenty_six_traps_are_accounted_for() -> None:
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", PAGES["docs/guarantees.md"], flags=re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 27))


def test_sections_that_docstrings_refer_to_exist() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "graphcert").rglob("*.py"))
    lists = re.findall(r"theory,? sections? ((?:\d+(?:,? and |, | to )?)+)", sources)
    assert lists
    chapters = set(re.findall(r"^## (\d+) ", PAGES["docs/theory.md"], flags=re.MULTILINE))
    planned = PAGES["docs/theory.md"].partition("## Not implemented yet")[2].partition("\n## ")[0]
    later = set(re.findall(r"\d+", " ".join(re.findall(r"^\| ([\d, ]+) \|", planned, flags=re.MULTILINE))))
    referred = {number for found in lists for number in re.findall(r"\d+", found)}
    assert referred <= chapters | later


# The API reference


def signature(function: object) -> str:
    """`(a, b=1)`: names and defaults without annotations."""
    full = inspect.signature(function)  # type: ignore[arg-type]
    plain = [p.replace(annotation=p.empty) for name, p in full.parameters.items() if name not in ("self", "cls")]
    return str(full.replace(parameters=plain, return_annotation=full.empty))


def section(name: str) -> str:
    """What stands below the heading of a class, heading included."""
    match = re.search(rf"^### `{re.escape(name)}\b.*?(?=^#|\Z)", API, flags=re.MULTILINE | re.DOTALL)
    assert match, f"docs/api.md has no heading ### `{name}`"
    return match[0]


@pytest.mark.parametrize("name", gc.__all__)
def test_every_public_name_is_in_the_reference(name: str) -> None:
    assert re.search(rf"`gc\.{name}\b", API), f"mention `gc.{name}` in docs/api.md"


PUBLIC = {name: getattr(gc, name) for name in gc.__all__}
FUNCTIONS = [name for name, value in PUBLIC.items() if callable(value) and not inspect.isclass(value)]
CLASSES = {f"gc.{name}": value for name, value in PUBLIC.items() if inspect.isclass(value)} | {"BudgetGrid": BudgetGrid}


@pytest.mark.parametrize("name", [*FUNCTIONS, "BernoulliFlip", "Budget", "Partition", "Smoothing"])
def test_signatures_are_those_of_the_code(name: str) -> None:
    assert f"### `gc.{name}{signature(PUBLIC[name])}`\n" in API


def test_the_statistics_and_errors_are_all_there() -> None:
    for name in gc.statistics.__all__:
        assert f"`{name}{signature(getattr(gc.statistics, name))}`" in API
    for name, value in vars(gc.errors).items():
        if inspect.isclass(value) and issubclass(value, Exception):
            assert f"`{name}`" in API


def public_members(kind: type) -> set[str]:
    """Attributes, fields and declared class attributes that do not begin with an underscore."""
    declared = {name for name, hint in vars(kind).get("__annotations__", {}).items() if "ClassVar" in str(hint)}
    return {m for m in {*dir(kind), *getattr(kind, "__dataclass_fields__", ()), *declared} if m[0] != "_"}


@pytest.mark.parametrize("name", CLASSES)
def test_every_public_member_is_in_its_section_with_its_signature(name: str) -> None:
    kind, text = CLASSES[name], section(name)
    members = public_members(kind)
    if issubclass(kind, torch.nn.Module):
        members -= set(dir(torch.nn.Module))
    named = set(re.findall(r"`\.(\w+)", text))
    # What a public base class says of a member holds for its subclasses.
    bases = [base for base in kind.__mro__[1:] if base in CLASSES.values()]
    inherited = {member for member in members if any(member in public_members(base) for base in bases)}
    assert members - inherited <= named <= members
    for member in named:
        value = inspect.getattr_static(kind, member, None)
        if inspect.isfunction(value) or isinstance(value, (classmethod, staticmethod)):
            assert f"`.{member}{signature(getattr(kind, member))}`" in text


# What is shown runs


RUN_PAGES = runpy.run_path(str(ROOT / "docs/run_pages.py"))


@contextmanager
def logging_as_before() -> Iterator[None]:
    """A page may set up the loggers of this process."""
    loggers = [logging.getLogger(), logging.getLogger("graphcert")]
    before = [(logger, logger.level, [*logger.handlers]) for logger in loggers]
    try:
        yield
    finally:
        for logger, level, handlers in before:
            logger.setLevel(level)
            logger.handlers[:] = handlers


@pytest.mark.parametrize(
    "page", [page for page, text in PAGES.items() if "```python" in text and "datasets" not in page]
)
def test_python_snippets_run_in_order_and_print_what_is_shown(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with torch.random.fork_rng(devices=[]), logging_as_before():
        again, printed = RUN_PAGES["run_page"](PAGES[page], page)
    # `python docs/run_pages.py PAGE` writes the page anew; look at what has changed.
    assert RUN_PAGES["agree"](PAGES[page], again), "\n".join(unified_diff(PAGES[page].split("\n"), again.split("\n")))
    # An example that proves nothing is none: ratios are far above 0, at the noise and with the samples that it shows.
    ratios = re.findall(r"^certified (?:ratio|accuracy) (.*)$", printed, flags=re.MULTILINE)
    assert all(float(ratio) > 0.3 for ratio in ratios)
    assert ratios or page not in ("README.md", "docs/quickstart.md")


def test_an_output_that_is_not_what_is_printed_is_noticed() -> None:
    page = "```python\nprint('ratio ≈', 0.8)\nprint(7)\n```\n\nand so\n\n```text\nratio ≈ 0.83\n7\n```\n"
    again, printed = RUN_PAGES["run_page"](page, "page")
    assert printed == "ratio ≈ 0.8\n7\n"
    assert again == page.replace("0.83", "0.8")
    assert RUN_PAGES["agree"](page, again)
    for before, after in (("0.83", "0.86"), ("\n7\n", "\n8\n"), ("ratio ≈ 0.83\n", ""), ("≈ 0.83", "0.83")):
        assert not RUN_PAGES["agree"](page.replace(f"text\n{before}" if "ratio" in before else before, after), again)


@pytest.mark.filterwarnings("ignore")  # whatever Lightning warns about
def test_the_snippet_for_lightning_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Lightning is installed: it is no requirement, not even of the tests."""
    pytest.importorskip("lightning")
    monkeypatch.chdir(tmp_path)
    page, namespace = PAGES["docs/training.md"], {}
    (_, before), *_ = fences(page, "python")
    ((_, source),) = fences(page, "python lightning")
    with torch.random.fork_rng(devices=[]):
        for text in (before, source):
            exec(compile(text, "docs/training.md", "exec"), namespace)
    assert namespace["votes"].samples == 100


def reach(survives: Callable[[int], bool]) -> int:
    """The largest budget up to which all are survived."""
    return next(budget for budget in count(0) if not survives(budget + 1))


def reach_of_law(law: gc.BernoulliFlip, p_lower: float, add: int, delete: int) -> int:
    return reach(lambda k: p_lower > gc.trade_off(law, add * k, delete * k).critical)


def test_the_table_of_rates_is_computed() -> None:
    rows = re.findall(r"^\| ([\d.]+) \| ([\d.]+) \| (\d+) \| (\d+) \| (\d+) \|$", CHOOSING, flags=re.MULTILINE)
    assert len(rows) == 8
    p_lower = gc.statistics.clopper_pearson_lower(10_000, 10_000, 0.01 / 1000)
    for plus, minus, *shown in rows:
        law = gc.BernoulliFlip(float(plus), float(minus))
        found = [reach_of_law(law, p_lower, *shape) for shape in ((1, 0), (0, 1), (1, 1))]
        assert found == [int(number) for number in shown]


def reach_of_votes(votes: gc.Votes, method: str) -> str:
    """The cell of the table of rules: one node among 1,000."""
    one = gc.certify(votes, 0.01 / 1000, method=method)
    if one.abstained[0]:
        return "abstains"
    return f"{reach(lambda k: one.robust(add=k)[0])} / {reach(lambda k: one.robust(delete=k)[0])}"


def test_the_table_of_rules_is_computed() -> None:
    rows = re.findall(r"^\| ([\d.]+) % \| ([\d.]+) % \| (.+?) \| (.+?) \|$", CHOOSING, flags=re.MULTILINE)
    assert len(rows) == 6
    for label, runner_up, *shown in rows:
        counts = np.zeros((1, 7), dtype=np.int64)
        counts[0, :2] = round(100 * float(label)), round(100 * float(runner_up))
        counts[0, 2:] = np.diff(np.arange(6) * (10_000 - int(counts.sum())) // 5)
        votes = gc.Votes(np.eye(1, 7, dtype=np.int64), counts, gc.Smoothing(gc.BernoulliFlip(0.01, 0.6)))
        assert shown == [reach_of_votes(votes, method) for method in ("binary", "multiclass")]


def shell_lines(program: str) -> list[list[str]]:
    """The commands of a program in fenced shell blocks of all pages, as words."""
    blocks = [block.replace("\\\n", " ") for _, block in fences(EVERYTHING, "bash")]
    lines = [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]
    return [words for words in lines if words[:1] == [program]]


def test_commands_are_understood() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    lines = shell_lines("graphcert")
    assert lines
    for _, name, *arguments in lines:
        commands[name].make_context(name, arguments)  # parses, runs nothing
    inner = [each for command in commands.values() for each in (command, *getattr(command, "commands", {}).values())]
    known = {option for command in inner for p in command.params for option in (*p.opts, *p.secondary_opts)}
    named = {option for text in PAGES.values() for option in re.findall(r"`(--[a-z-]+)", without_fences(text))}
    assert named - known <= {"--help"}


def test_make_targets_exist() -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    named = {words[1] for words in shell_lines("make")} | set(re.findall(r"`make ([\w-]+)`", EVERYTHING))
    assert named
    assert named <= set(targets)
