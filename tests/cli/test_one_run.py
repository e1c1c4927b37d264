"""One command over a run folder: a stage takes what the one before it made, and certificate.json is compared with votes."""

import json
import re
import shutil
from dataclasses import replace

import pytest

from graphcert.errors import DataError
from graphcert.models import Training
from graphcert.run import certified
from graphcert.run import folder as run_folder
from graphcert.run.nodes import Run
from graphcert.run.settings.graph_run import DatasetConfig, RunConfig
from graphcert.run.settings.noise import RatesConfig, SmoothingConfig
from graphcert.run.settings.stages import CertificateConfig, CollectiveConfig, SamplingConfig

SYNTHETIC = DatasetConfig("synthetic", {"nodes": 300, "classes": 3, "features": 20})
LOCALIZED = SmoothingConfig(RatesConfig((0.05, 0.1), (0.3, 0.7)), clusters=2)
CONFIG = RunConfig(
    LOCALIZED, dataset=SYNTHETIC, training=Training(epochs=3), sampling=SamplingConfig(1000, 20, scores=True),
    collective=CollectiveConfig("lp", sweeps=({"add": "0:2"},)),
)  # fmt: skip


def untimed(folder):
    """The report without the seconds of the stages."""
    return re.sub(r"[\d.]+ s\b", "", (folder / "report.html").read_text())


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("one") / "run"
    Run(folder).all_stages(CONFIG)
    return folder


@pytest.fixture
def copy(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "copy")


@pytest.fixture
def counted(monkeypatch):
    """How often data are loaded, votes read and certificates built."""
    homes = {"load_dataset": run_folder, "certify": certified, "certify_scores": certified, "budget_grids": certified}
    counts = dict.fromkeys(homes, 0)

    def count(name, call):
        def wrapper(*arguments, **options):
            counts[name] += 1
            return call(*arguments, **options)

        monkeypatch.setattr(homes[name], name, wrapper)

    for name in counts:
        count(name, getattr(homes[name], name))
    return counts


def test_the_whole_chain_loads_data_once_and_certifies_once(tmp_path, counted):
    Run(tmp_path / "run").all_stages(CONFIG)
    assert set(counted.values()) == {1}


def test_a_command_over_a_run_loads_data_once_and_certifies_once(copy, counted, run):
    for command in (["certify", copy], ["collective", copy, "--add", "0:2", "--method", "lp"], ["report", copy]):
        before = dict(counted)
        assert run(*command)[0] == 0
        assert {name: counted[name] - before[name] for name in counted} == dict.fromkeys(counted, 1), command


def test_stages_one_by_one_leave_what_all_of_them_together_leave(finished, tmp_path):
    folder = tmp_path / "run"
    Run(folder).train(CONFIG)
    Run(folder).sample()
    Run(folder).certify(CONFIG.certificate)
    Run(folder).collective(CONFIG.collective)
    Run(folder).report()
    for name in (
        "config.toml",
        "votes/votes.npz",
        "certificate.json",
        "collective.json",
        "collective.csv",
    ):
        assert (folder / name).read_bytes() == (finished / name).read_bytes(), name
    assert untimed(folder) == untimed(finished)


@pytest.mark.parametrize("stage", ["collective", "report"])
@pytest.mark.parametrize(
    ("where", "value"),
    [("votes", "0" * 64), ("samples", 1001), ("label", [0] * 300), ("target", []), ("abstained", None)],
)
def test_a_certificate_of_other_votes_is_refused(copy, stage, where, value):
    path = copy / "certificate.json"
    content = json.loads(path.read_text())
    (content["nodes"] if where in content["nodes"] else content)[where] = value
    path.write_text(json.dumps(content))
    arguments = [CONFIG.collective] if stage == "collective" else []
    with pytest.raises(DataError, match=rf"other votes .*{where}.*; run `graphcert certify"):
        getattr(Run(copy), stage)(*arguments)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"nodes": 3}', "null"])
def test_a_damaged_certificate_is_refused(copy, content):
    (copy / "certificate.json").write_text(content)
    with pytest.raises(DataError, match=r"certificate\.json.* run `graphcert certify"):
        Run(copy).report()


def test_claims_that_were_never_certified_are_said_to_be(copy, caplog):
    """Settings that were changed by hand make other claims than certificate.json states."""
    replace(CONFIG, certificate=CertificateConfig(alpha=0.05)).save(copy / "config.toml")
    content = Run(copy).report()
    assert any("another alpha; run `graphcert certify" in sentence for sentence in content.warnings)
    assert any("another alpha" in one.getMessage() and one.levelname == "WARNING" for one in caplog.records)
