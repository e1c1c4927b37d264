"""What runs over inputs of their own, such as images or clouds of points, have in common.

Votes are kept input by input, so that a killed run goes on; all results appear at the end, each file whole or not at all.
"""

import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import tomli_w

from graphcert.core.files import alone, atomic_write
from graphcert.errors import DataError
from graphcert.report.frame.html import Page
from graphcert.run.commitment import PLAN, Plan, chosen_after, plan_digest, planned_again, read_plans
from graphcert.run.folder import MANIFEST, MODEL, REPORT, RunFolder
from graphcert.run.provenance import environment
from graphcert.run.settings.typed import read_section
from graphcert.run.statement import stated

SETTINGS, RESULTS = "settings.toml", "results.csv"


class InputSettings(Protocol):
    """The part of the settings that every such run has."""

    @property
    def tau(self) -> float:
        """τ of SegCertify."""

    @property
    def alpha(self) -> float:
        """Error rate of each family of claims about one input."""

    def to_dict(self) -> dict[str, Any]:
        """All settings as plain values without None."""


Settings = TypeVar("Settings", bound=InputSettings)
Asked = TypeVar("Asked", bound=InputSettings, contravariant=True)
Input = TypeVar("Input")
Content = TypeVar("Content")


class Made(Protocol[Asked, Content]):
    """What a run found about its inputs, and the files that show it."""

    @property
    def timings(self) -> dict[str, float]:
        """Seconds per stage."""

    @property
    def facts(self) -> dict[str, Any]:
        """Everything that the results were made of."""

    def content(
        self, settings: Asked, facts: Mapping[str, Any], timings: Mapping[str, float], warnings: Sequence[str]
    ) -> Content:
        """What the report shows."""

    def page(self, content: Content) -> Page:
        """The report."""

    def table(self, settings: Asked) -> str:
        """The content of results.csv."""

    def pictures(self, settings: Asked) -> Iterator[tuple[str, bytes]]:
        """Names and bytes of the pictures."""


class InputRun(RunFolder, Generic[Settings, Input, Content]):
    """A run over inputs of one kind; `section` is that of its settings in settings.toml."""

    section: ClassVar[str]
    _plans: tuple[str, ...] = ()

    def certify(self, settings: Settings, look_again: bool = False) -> Content:
        """Take votes of every input, certify them, and write pictures, results.csv, manifest.json and report.html.

        A killed run continues where it was: votes of the same noise, network, input and seed are found again. Settings that
        cannot work are refused before anything is sampled, and so are, without `look_again`, other numbers of samples than
        those of the results in this folder.
        """
        began = time.perf_counter()
        self.refuse_second_look(settings.to_dict(), look_again)
        return self._certify(settings, self._load(settings), began)

    @alone(new=True)
    @stated
    def _certify(self, settings: Settings, inputs: list[Input], began: float) -> Content:
        """The same of inputs that are loaded, by a call that began at this time."""
        made = self._made(settings, inputs, began)
        said = self._after_votes(settings)
        facts = {**environment(), **made.facts, "plan": next(map(plan_digest, read_plans(self.folder)[-1:]), None)}
        content = made.content(settings, facts, made.timings, said)
        self.record_look(settings.to_dict(), settings.alpha, tau=settings.tau)
        for sentence in said:
            self.say(sentence)
        for name, picture in made.pictures(settings):
            with atomic_write(self.path(name)) as stream:
                stream.write(picture)
        self.write(SETTINGS, tomli_w.dumps({self.section: settings.to_dict()}))
        self.write(RESULTS, made.table(settings))
        facts |= {"timings": made.timings, "looks": self.looks(), "chosen_after_votes": said}
        self.write(MANIFEST, json.dumps(facts, indent=1) + "\n")
        made.page(content).write(self.path(REPORT))
        return content

    def rebuilt(self) -> dict[str, bytes]:
        """The files that show results, by name, made again from votes, settings, inputs and network; nothing is written.

        These are report.html, results.csv and the pictures. As long as nobody touched the run, the files have these very
        bytes. Votes that are missing or damaged are taken again, in a copy.

        Raises:
            DataError: if settings, plan, manifest and votes contradict each other.
        """
        settings, manifest = self.stored_settings(), self.manifest()
        with TemporaryDirectory() as place:
            copy = type(self)(Path(place) / "run", workers=self.workers)
            shutil.copytree(self.path("votes"), copy.path("votes"))
            for name in filter(lambda name: self.path(name).is_file(), (MODEL, PLAN)):
                shutil.copyfile(self.path(name), copy.path(name))
            made = copy._made(settings, copy._load(settings), time.perf_counter())
            if read_plans(copy.folder) != read_plans(self.folder):
                raise DataError(f"{self.path(SETTINGS)} asks for other votes than {PLAN} says; certify again")
        self.refuse_other(**made.facts)
        content = made.content(settings, manifest, manifest.get("timings", {}), self._after_votes(settings))
        texts = {REPORT: made.page(content).html(), RESULTS: made.table(settings)}
        return {name: text.encode() for name, text in texts.items()} | dict(made.pictures(settings))

    def stored_settings(self) -> Settings:
        """The settings of the results in this folder."""
        return self._settings(read_section(self.path(SETTINGS), self.section))

    def choices(self, settings: Settings) -> Plan:
        """The claims that this run makes, the part of a plan that may be chosen otherwise after the votes."""
        raise NotImplementedError

    def _after_votes(self, settings: Settings) -> list[str]:
        """What was chosen otherwise than planned, or planned again, in sentences."""
        plans = read_plans(self.folder)
        return [*planned_again(plans), *chosen_after(plans[-1], self.choices(settings))] if plans else []

    def _settings(self, values: Mapping[str, Any]) -> Settings:
        """Settings from plain values."""
        raise NotImplementedError

    def _load(self, settings: Settings) -> list[Input]:
        """All inputs that are wanted, after all checks that need no network."""
        raise NotImplementedError

    def _made(self, settings: Settings, inputs: list[Input], began: float) -> Made[Settings, Content]:
        """Take or read the votes and certify them; a plan is written before the first final vote."""
        raise NotImplementedError
