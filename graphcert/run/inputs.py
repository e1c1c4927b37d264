"""What runs over inputs of their own, such as images or clouds of points, have in common.

Votes are kept input by input, so that a killed run goes on; all results appear at the end, each file whole or not at all.
"""

import json
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import tomli_w

from graphcert.core.files import alone, atomic_write
from graphcert.errors import DataError
from graphcert.report.frame.html import Page
from graphcert.report.frame.wording import seconds as time_words
from graphcert.run.commitment import PLAN, Plan, chosen_after, plan_digest, planned_again, read_plans
from graphcert.run.folder import AGAIN, MANIFEST, MODEL, REPORT, RunFolder
from graphcert.run.provenance import environment
from graphcert.run.settings.typed import read_section
from graphcert.run.statement import stated

SETTINGS, RESULTS = "settings.toml", "results.csv"


class InputSettings(Protocol):
    """The part of the settings that every such run has."""

    @property
    def alpha(self) -> float:
        """Error rate of each family of claims about one input."""

    def to_dict(self) -> dict[str, Any]:
        """All settings as plain values without None."""


Settings = TypeVar("Settings", bound=InputSettings)
Asked = TypeVar("Asked", bound=InputSettings, contravariant=True)
Inputs = TypeVar("Inputs")
Content = TypeVar("Content")


class Made(Protocol[Asked, Content]):
    """What a run found about its inputs, and the files that show it."""

    @property
    def plan(self) -> Plan:
        """What was committed to before the final votes, as settings and inputs give it."""

    @property
    def timings(self) -> dict[str, float]:
        """Seconds per stage."""

    @property
    def facts(self) -> dict[str, Any]:
        """Everything that the results were made of."""

    def look(self, settings: Asked) -> dict[str, Any]:
        """What distinguishes these claims from others about the same votes, besides samples and α."""

    def content(
        self, settings: Asked, facts: Mapping[str, Any], timings: Mapping[str, float], warnings: Sequence[str]
    ) -> Content:
        """What the report shows."""

    def page(self, content: Content) -> Page:
        """The report."""

    def tables(self, settings: Asked) -> dict[str, str]:
        """The content of results.csv and its like, by name."""

    def pictures(self, settings: Asked) -> Iterator[tuple[str, bytes]]:
        """Names and bytes of the pictures."""


class InputRun(RunFolder, ABC, Generic[Settings, Inputs, Content]):
    """A run over inputs of one kind; `section` is that of its settings in settings.toml."""

    section: ClassVar[str]
    _plans: tuple[str, ...] = ()

    def certify(self, settings: Settings, look_again: bool = False) -> Content:
        """Take votes of every input, certify them, and write pictures, tables, manifest.json and report.html.

        A killed run continues where it was: votes of the same noise, network, input and seed are found again. Settings that
        cannot work are refused before anything is sampled, and so are, without `look_again`, other numbers of samples than
        those of the results in this folder.
        """
        began = time.perf_counter()
        self.refuse_second_look(settings.to_dict(), look_again)
        return self._certify(settings, self._load(settings), began)

    @alone(new=True)
    @stated
    def _certify(self, settings: Settings, inputs: Inputs, began: float) -> Content:
        """The same of inputs that are loaded, by a call that began at this time."""
        made = self._made(settings, inputs, began)
        said = self._after_votes(made.plan)
        self.record_look(settings.to_dict(), settings.alpha, **made.look(settings))
        facts = {**environment(), **made.facts, "plan": next(map(plan_digest, read_plans(self.folder)[-1:]), None)}
        content = made.content(settings, facts, made.timings, self._warnings(said))
        for stage, seconds in made.timings.items():
            self.log.info(f"{stage} in {time_words(seconds)}")
        for sentence in said:
            self.log.info(sentence)
        for name, picture in made.pictures(settings):
            with atomic_write(self.path(name)) as stream:
                stream.write(picture)
        self.write(SETTINGS, tomli_w.dumps({self.section: settings.to_dict()}))
        for name, table in made.tables(settings).items():
            self.write(name, table)
        facts |= {"timings": made.timings, "looks": self.looks(), "chosen_after_votes": said}
        self.write(MANIFEST, json.dumps(facts, indent=1) + "\n")
        made.page(content).write(self.path(REPORT))
        return content

    def rebuilt(self) -> dict[str, bytes]:
        """The files that show results, by name, made again from votes, settings, inputs and network; nothing is written.

        These are report.html, the tables and the pictures. As long as nobody touched the run, the files have these very
        bytes. Votes that are missing or damaged are taken again, in a copy.

        Raises:
            DataError: if settings, plan, manifest and votes contradict each other.
        """
        settings, manifest = self.stored_settings(), self.manifest()
        with TemporaryDirectory() as place:
            copy = type(self)(Path(place) / "run", workers=self.workers, log=AGAIN)
            shutil.copytree(self.path("votes"), copy.path("votes"))
            for name in filter(lambda name: self.path(name).is_file(), (MODEL, PLAN)):
                shutil.copyfile(self.path(name), copy.path(name))
            made = copy._made(settings, copy._load(settings), time.perf_counter())
            if read_plans(copy.folder) != read_plans(self.folder):
                raise DataError(f"{self.path(SETTINGS)} asks for other votes than {PLAN} says; certify again")
        self.refuse_other(**made.facts)
        warnings = self._warnings(self._after_votes(made.plan))
        content = made.content(settings, manifest, manifest.get("timings", {}), warnings)
        texts = {REPORT: made.page(content).html(), **made.tables(settings)}
        return {name: text.encode() for name, text in texts.items()} | dict(made.pictures(settings))

    def stored_settings(self) -> Settings:
        """The settings of the results in this folder."""
        return self._settings(read_section(self.path(SETTINGS), self.section))

    def _after_votes(self, plan: Plan) -> list[str]:
        """What was chosen otherwise than planned, or planned again, in sentences."""
        plans = read_plans(self.folder)
        return [*planned_again(plans), *chosen_after(plans[-1], plan)] if plans else []

    def _warnings(self, said: Sequence[str]) -> Sequence[str]:
        """The sentences above the report, with those about what was chosen after the votes."""
        return said

    @abstractmethod
    def _settings(self, values: Mapping[str, Any]) -> Settings:
        """Settings from plain values."""

    @abstractmethod
    def _load(self, settings: Settings) -> Inputs:
        """All inputs that are wanted, after all checks that need no network."""

    @abstractmethod
    def _made(self, settings: Settings, inputs: Inputs, began: float) -> Made[Settings, Content]:
        """Take or read the votes and certify them; a plan is written before the first final vote."""
