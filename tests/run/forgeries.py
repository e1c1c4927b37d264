"""What a forger would do to a copy of a run folder, with whatever he can recompute without the model recomputed.

Every entry of `FORGERIES` alters a copy of one honest run over a graph, then writes the statement anew. `where` is a part
of the name of a file that a contradiction must name, so that a forgery is found for its own sake. `resample` says how many
shards have to be voted again to be sure: 0 where no vote is needed.
"""

import json
import os
import re
import shutil
import struct
import tomllib
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tomli_w

from graphcert.core.arrays import read_sealed, to_json, write_sealed
from graphcert.run.commitment import plan_digest
from graphcert.run.nodes import Run
from graphcert.run.statement import write_statement
from graphcert.run.verify import verify
from graphcert.verification import Findings
from graphcert.votes import Votes

VOTES, MAIN, MORE, PILOT = (
    "votes/votes.npz", "votes/main-000000000-000001000.npz", "votes/main-000001000-000001200.npz",
    "votes/pilot-000000000-000000100.npz",
)  # fmt: skip
ALL = 100
"""More shards than any run here has."""


class Forgery(NamedTuple):
    """What is done to the folder, where it must be noticed, and how many shards have to be voted again for that."""

    forge: Callable[[Path], Any]
    where: str
    resample: int = 0
    stated: bool = True


# Tools


def said(found: Findings) -> str:
    """The contradictions, line by line."""
    return "\n".join(f"{one.where}: {one.what}" for one in found.of_kind("contradiction"))


def check_honest(run: Path) -> Findings:
    """The findings about an honest run, of which every shard is voted again: it holds, and nothing is touched."""
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    found = verify(run, resample=ALL)
    assert found, said(found)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    return found


def check_forged(honest: Path, target: Path, forge: Callable[[Path], Any], where: str, resample: int) -> None:
    """A forged copy of an honest run, with its statement anew, is contradicted where it was forged."""
    shutil.copytree(honest, target)
    try:
        forge(target)
        write_statement(target)
        found = verify(target, resample=resample)
        assert not found
        assert any(where in one.where for one in found.of_kind("contradiction")), said(found)
    finally:
        shutil.rmtree(target)


def scheme_digest(scheme: Any) -> str:
    """The name of a scheme in shards, votes and plan."""
    return sha256(to_json(scheme.to_dict()).encode()).hexdigest()


def change_json(path: Path, edit: Callable[[Any], Any]) -> None:
    """Let `edit` alter the content of a JSON file."""
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content, indent=1))


def change_settings(path: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    """Let `edit` alter a file of settings."""
    values = tomllib.loads(path.read_text())
    edit(values)
    path.write_text(tomli_w.dumps(values))


def change_text(path: Path, old: str, new: str) -> None:
    """Replace what a regular expression finds first."""
    text = path.read_text()
    found = re.sub(old, new, text, count=1)
    assert found != text
    path.write_text(found)


def change_sealed(path: Path, edit: Callable[[dict[str, Any], dict[str, Any]], Any]) -> None:
    """Let `edit` alter description and arrays of a sealed file, and seal it anew."""
    description, arrays = read_sealed(path, "file", None)
    edit(description, arrays)
    write_sealed(path, description, arrays)


def put(**values: Any) -> Callable[[dict[str, Any]], None]:
    """An edit that sets members."""
    return lambda content: content.update(values)


def follow(run: Path) -> None:
    """Let all files name the votes as they are now."""
    votes = Votes.load(run / VOTES)
    change_json(run / "manifest.json", put(votes=votes.digest, total_variation=votes.total_variation))
    change_json(run / "certificate.json", put(votes=votes.digest))
    change_json(run / "collective.json", put(votes=votes.digest))


def make_again(run: Path) -> None:
    """Certify and report with the package itself, as if these had always been the votes."""
    follow(run)
    own = Run(run)
    config = own.load_config()
    certified = own.certify(config.certificate)
    own.report(certified, own.collective(config.collective, certified))


def raise_counts(_: Any, arrays: dict[str, Any]) -> None:
    """Every node answers class 0 in every final sample; of a file of votes, or of a shard."""
    counts = arrays["counts"].copy()
    counts[:, 0], counts[:, 1:] = counts.sum(axis=1), 0
    arrays["counts"] = counts


def rename_plan(run: Path, edit: Callable[[dict[str, Any]], Any], shards: bool = False) -> None:
    """Alter the plan, and its sha256 in the votes and, if asked for, in the shards."""
    change_json(run / "plan.json", lambda content: edit(content["plans"][-1]))
    name = plan_digest(json.loads((run / "plan.json").read_text())["plans"][-1])
    change_sealed(run / VOTES, lambda description, _: description["manifest"].update(plan=name))
    change_json(run / "manifest.json", put(plan=name))
    if shards:
        for shard in (MAIN, MORE):
            change_sealed(run / shard, lambda description, _: description.update(plan=name))


def rename_everywhere(run: Path, **identity: Any) -> None:
    """Let votes and shards state another origin."""
    change_sealed(run / VOTES, lambda description, _: description["manifest"].update(identity))
    for shard in (MAIN, MORE, PILOT):
        change_sealed(run / shard, lambda description, _: description["identity"].update(identity))


# Forgeries of votes and noise


def raised_counts(run: Path) -> None:
    change_sealed(run / VOTES, raise_counts)
    follow(run)


def raised_counts_certified(run: Path) -> None:
    change_sealed(run / VOTES, raise_counts)
    make_again(run)


def raised_counts_in_shards(run: Path) -> None:
    for name in (VOTES, MAIN, MORE):
        change_sealed(run / name, raise_counts)
    make_again(run)


def less_noise_in_votes(run: Path) -> None:
    def less(description: dict[str, Any], _: Any) -> None:
        text = to_json(description["smoothing"])
        assert "0.05" in text
        description["smoothing"] = json.loads(text.replace("0.05", "0.04"))

    change_sealed(run / VOTES, less)
    change_settings(run / "config.toml", lambda values: values["smoothing"]["features"].update(add=[0.04, 0.1]))
    follow(run)


def less_noise_everywhere(run: Path) -> None:
    less_noise_in_votes(run)
    scheme = Votes.load(run / VOTES).smoothing
    rename_everywhere(run, smoothing=scheme_digest(scheme))
    described = {"scheme": json.loads(to_json(scheme.to_dict())), "scheme_sha256": scheme_digest(scheme)}
    described["total_variation"] = Run(run).problem(Run(run).load_config(), _data(run)).sampler.total_variation
    change_sealed(run / VOTES, lambda d, _: d.update(total_variation=described["total_variation"]))
    rename_plan(run, put(**described), shards=True)
    make_again(run)


def _data(run: Path) -> Any:
    return Run(run).load_data(Run(run).load_config())


def no_total_variation(run: Path) -> None:
    change_sealed(run / VOTES, lambda description, _: description.update(total_variation=0.0))
    follow(run)


def pilot_is_final(run: Path) -> None:
    def copied(_: Any, arrays: dict[str, Any]) -> None:
        arrays["pilot_counts"] = arrays["counts"]

    change_sealed(run / VOTES, copied)
    follow(run)


def shard_of_another_seed(run: Path) -> None:
    change_sealed(run / MORE, lambda description, _: description["identity"].update(seed=7))


def shard_twice(run: Path) -> None:
    target = run / "votes/main-000001000-000002000.npz"
    shutil.copy(run / MAIN, target)
    change_sealed(target, lambda description, _: description.update(start=1000, stop=2000))


def shard_in_place_of_another(run: Path) -> None:
    shutil.copy(run / PILOT, run / MORE)


def shard_with_altered_seal(run: Path) -> None:
    content = bytearray((run / MAIN).read_bytes())
    content[len(content) // 2] ^= 1
    (run / MAIN).write_bytes(content)


def other_partition(run: Path) -> None:
    change_json(run / "partition.json", _turned)


def other_partition_everywhere(run: Path) -> None:
    other_partition(run)
    partition = json.loads((run / "partition.json").read_text())
    change_sealed(run / VOTES, lambda description, _: _with_partition(description["smoothing"], partition))
    scheme = Votes.load(run / VOTES).smoothing
    rename_everywhere(run, smoothing=scheme_digest(scheme))
    described = {"scheme": json.loads(to_json(scheme.to_dict())), "scheme_sha256": scheme_digest(scheme)}
    rename_plan(run, put(**described), shards=True)
    make_again(run)


def _turned(partition: dict[str, Any]) -> None:
    """Nodes by turns in one of two clusters."""
    labels = np.asarray(partition["labels"])
    partition["labels"] = (np.arange(labels.size) % 2).tolist()


def _with_partition(scheme: Any, partition: Any) -> None:
    for part in (scheme, scheme.get("scheme")):
        if isinstance(part, dict) and "partition" in part:
            part["partition"] = partition


# Forgeries of the model


def other_model(run: Path) -> None:
    shutil.copy(run.parent / "another/model.pt", run / "model.pt")


def other_model_everywhere(run: Path) -> None:
    other_model(run)
    name = json.loads((run.parent / "another/manifest.json").read_text())["model"]
    change_json(run / "manifest.json", put(model=name))
    rename_everywhere(run, model=name)
    rename_plan(run, put(model=name), shards=True)
    make_again(run)


# Forgeries of claims


def alpha_everywhere(run: Path) -> None:
    """Another level in settings, plan, votes and all that is made of them: only the shards still name the old plan."""
    change_settings(run / "config.toml", lambda values: values["certificate"].update(alpha=0.2))
    rename_plan(run, lambda plan: plan["certificate"].update(alpha=0.2))
    make_again(run)


def alpha_after_the_votes_unsaid(run: Path) -> None:
    """Another level after the votes, without the sentence that says so."""
    change_settings(run / "config.toml", lambda values: values["certificate"].update(alpha=0.2))
    make_again(run)
    sentences = json.loads((run / "manifest.json").read_text())["chosen_after_votes"]
    assert sentences
    change_json(run / "manifest.json", lambda content: content.update(chosen_after_votes=[]))
    change_text(run / "report.html", re.escape(sentences[0]), "")


def claims(edit: Callable[[Any], Any]) -> Callable[[Path], None]:
    """An edit of certificate.json."""
    return lambda run: change_json(run / "certificate.json", edit)


def raised_p_lower(content: Any) -> None:
    content["nodes"]["p_lower"] = [min(1.0, p + 0.01) for p in content["nodes"]["p_lower"]]


def raised_ratio(content: Any) -> None:
    grid = next(grid for grid in content["grids"] if len(grid["axes"]) == 1)
    grid["certified_ratio"] = [1.0 for _ in grid["certified_ratio"]]


def raised_accuracy(content: Any) -> None:
    grid = next(grid for grid in content["grids"] if len(grid["axes"]) == 1)
    grid["certified_accuracy"] = [1.0 for _ in grid["certified_accuracy"]]


def dropped_targets(content: Any) -> None:
    targets = content["nodes"]["target"]
    for node in [node for node, target in enumerate(targets) if target][:10]:
        targets[node] = False
    content["claims"] -= 10


def other_label(content: Any) -> None:
    content["nodes"]["label"][0] = (content["nodes"]["label"][0] + 1) % 3


def collective(edit: Callable[[dict[str, Any]], Any], tables: bool = True) -> Callable[[Path], None]:
    """An edit of every curve in collective.json, and tables and report made of it anew."""

    def forge(run: Path) -> None:
        content = json.loads((run / "collective.json").read_text())
        for ladder in content["ladders"]:
            for curve in ladder.values():
                edit(curve)
        (run / "collective.json").write_text(json.dumps(content) + "\n")
        if tables:
            rebuilt = Run(run).rebuilt()
            for name in ("collective.csv", "attacks.csv", "report.html"):
                if name in rebuilt:
                    (run / name).write_bytes(rebuilt[name])
                else:
                    (run / name).unlink()

    return forge


def of_receptive_fields(run: Path) -> None:
    content = json.loads((run / "collective.json").read_text())
    (run / "collective.json").write_text(json.dumps(content | {"receptive_field": True}) + "\n")


def nothing_attacked(curve: dict[str, Any]) -> None:
    curve["attacked_upper"] = [0 for _ in curve["attacked_upper"]]
    curve["bound"] = [0.0 for _ in curve["bound"]]
    curve["gap"] = [0.0 for _ in curve["gap"]]
    curve["attacks"] = None


def budgets_doubled(curve: dict[str, Any]) -> None:
    curve["budgets"] = [[2 * count for count in budget] for budget in curve["budgets"]]


def all_correct(curve: dict[str, Any]) -> None:
    curve["correct_upper"] = [0 for _ in curve["correct_upper"]]


def other_attack(curve: dict[str, Any]) -> None:
    if curve["attacks"] is not None:
        curve["attacks"] = [[0 for _ in attack] for attack in curve["attacks"]]


# Forgeries of plan and statement


def plan_unchained(run: Path) -> None:
    rename_plan(run, put(previous="0" * 64), shards=True)


def split_in_plan(run: Path) -> None:
    rename_plan(run, lambda plan: plan["split"].update(targets="0" * 64), shards=True)


def statement_leaves_out(run: Path) -> None:
    change_json(run / "statement.json", lambda content: content["subject"].pop())


def statement_predicate(run: Path) -> None:
    change_json(run / "statement.json", lambda content: content["predicate"].update(samples=100_000))


# Hostile folders


def huge_member(run: Path) -> None:
    """An archive whose member is said to unpack to 2 GiB."""
    with zipfile.ZipFile(run / MAIN, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("description.npy", b"0" * 1000)
    content = (run / MAIN).read_bytes()
    (run / MAIN).write_bytes(content.replace(struct.pack("<I", 1000), struct.pack("<I", 2**31)))


def deep_json(name: str) -> Callable[[Path], Any]:
    return lambda run: (run / name).write_text("[" * 100_000 + "]" * 100_000)


def link(run: Path) -> None:
    (run / "report.html").unlink()
    (run / "report.html").symlink_to(run.parent / "another/report.html")


def pipe(run: Path) -> None:
    (run / "certificate.json").unlink()
    os.mkfifo(run / "certificate.json")


def from_another(name: str) -> Callable[[Path], Any]:
    """The file of another run of the same kind."""
    return lambda run: shutil.copy(run.parent / "another" / name, run / name)


def removed(name: str) -> Callable[[Path], Any]:
    return lambda run: (run / name).unlink()


def settings(edit: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    """An edit of config.toml."""
    return lambda run: change_settings(run / "config.toml", edit)


def manifest(edit: Callable[[Any], Any]) -> Callable[[Path], None]:
    """An edit of manifest.json."""
    return lambda run: change_json(run / "manifest.json", edit)


FORGERIES = {
    "raised counts, new seal": Forgery(raised_counts, VOTES),
    "raised counts, certified again": Forgery(raised_counts_certified, VOTES),
    "raised counts in shards too, certified again": Forgery(raised_counts_in_shards, "votes/main", ALL),
    "less noise in settings and votes": Forgery(less_noise_in_votes, "plan.json"),
    "less noise everywhere, certified again": Forgery(less_noise_everywhere, "votes/", ALL),
    "no total variation": Forgery(no_total_variation, VOTES),
    "final votes are the pilot's": Forgery(pilot_is_final, VOTES),
    "a shard of another seed": Forgery(shard_of_another_seed, MORE),
    "a shard twice": Forgery(shard_twice, "main-000001000-000002000"),
    "a shard in place of another": Forgery(shard_in_place_of_another, "votes"),
    "a shard altered": Forgery(shard_with_altered_seal, "votes"),
    "a shard removed": Forgery(removed(MORE), "main-000001000-000001200"),
    "the pilot's shard removed": Forgery(removed(PILOT), "pilot-000000000-000000100"),
    "other clusters": Forgery(other_partition, VOTES),
    "other clusters everywhere, certified again": Forgery(other_partition_everywhere, "votes/", ALL),
    "another model": Forgery(other_model, "model.pt"),
    "another model everywhere, certified again": Forgery(other_model_everywhere, "votes/", ALL),
    "α in the settings alone": Forgery(settings(lambda v: v["certificate"].update(alpha=0.2)), "certificate.json"),
    "α in the certificate alone": Forgery(claims(put(alpha=0.2)), "certificate.json"),
    "α in the manifest alone": Forgery(manifest(put(alpha=0.2)), "manifest.json"),
    "α everywhere but in the shards": Forgery(alpha_everywhere, "votes/main"),
    "α after the votes, unsaid": Forgery(alpha_after_the_votes_unsaid, "manifest.json"),
    "α of the collective certificate": Forgery(
        lambda run: change_json(run / "collective.json", put(alpha=0.2)), "collective.json"
    ),
    "another seed in the settings": Forgery(settings(put(seed=1)), "manifest.json"),
    "another graph in the settings": Forgery(
        settings(lambda v: v["dataset"]["options"].update(nodes=210)), "config.toml"
    ),
    "more samples in the settings": Forgery(settings(lambda v: v["sampling"].update(samples=2000)), VOTES),
    "p_lower raised": Forgery(claims(raised_p_lower), "certificate.json"),
    "certified ratio raised": Forgery(claims(raised_ratio), "certificate.json"),
    "certified accuracy raised": Forgery(claims(raised_accuracy), "certificate.json"),
    "smoothed accuracy raised": Forgery(claims(put(smoothed_accuracy=1.0)), "certificate.json"),
    "label changed": Forgery(claims(other_label), "certificate.json"),
    "nobody abstains": Forgery(
        claims(lambda c: c["nodes"].update(abstained=[False] * len(c["nodes"]["label"]))), "certificate.json"
    ),
    "targets dropped": Forgery(claims(dropped_targets), "certificate.json"),
    "samples raised in the certificate": Forgery(claims(put(samples=100_000)), "certificate.json"),
    "another guarantee in words": Forgery(claims(put(guarantee="Everything is certain.")), "certificate.json"),
    "more in a certificate than there is": Forgery(claims(put(audited=True)), "certificate.json"),
    "looks removed": Forgery(manifest(put(looks=[])), "manifest.json"),
    "another look": Forgery(manifest(lambda c: c["looks"][0].update(alpha=0.001)), "manifest.json"),
    "another rule in the manifest": Forgery(manifest(put(method="binary")), "manifest.json"),
    "nothing attacked": Forgery(collective(nothing_attacked), "collective.json"),
    "nothing attacked, tables left": Forgery(collective(nothing_attacked, tables=False), "collective.csv"),
    "larger collective budgets": Forgery(collective(budgets_doubled), "collective.json"),
    "numbers of receptive fields": Forgery(of_receptive_fields, "collective.json"),
    "all correct": Forgery(collective(all_correct), "collective.json"),
    "another attack": Forgery(collective(other_attack), "collective.json"),
    "collective table altered": Forgery(
        lambda run: change_text(run / "collective.csv", r"(?m),naive,(.*),not solved$", r",naive,\1,optimal"),
        "collective.csv",
    ),
    "attacks altered": Forgery(lambda run: change_text(run / "attacks.csv", r"(?m),[1-9]\d*$", ",0"), "attacks.csv"),
    "report figures altered": Forgery(lambda run: change_text(run / "report.html", r"\d\d\.\d%", "99.9%"), "report.html"),
    "report of another run": Forgery(from_another("report.html"), "report.html"),
    "manifest of another run": Forgery(from_another("manifest.json"), "manifest.json"),
    "settings of another run": Forgery(from_another("config.toml"), "manifest.json"),
    "certificate of another run": Forgery(from_another("certificate.json"), "certificate.json"),
    "collective certificate of another run": Forgery(from_another("collective.json"), "collective.json"),
    "votes of another run": Forgery(from_another(VOTES), VOTES),
    "plan altered, new hash in the votes": Forgery(
        lambda run: rename_plan(run, lambda plan: plan["collective"].update(method="lp")), "votes/main"
    ),
    "plan without its chain": Forgery(plan_unchained, "plan.json", stated=False),
    "another plan in the manifest": Forgery(manifest(put(plan="0" * 64)), "manifest.json"),
    "plan removed": Forgery(removed("plan.json"), "plan.json"),
    "targets of the plan": Forgery(split_in_plan, "plan.json"),
    "statement leaves a file out": Forgery(statement_leaves_out, "votes.npz", stated=False),
    "statement says more samples": Forgery(statement_predicate, "statement.json", stated=False),
    "statement removed": Forgery(removed("statement.json"), "statement.json", stated=False),
    "statement of another run": Forgery(from_another("statement.json"), "votes", stated=False),
    "a file that nobody wrote": Forgery(lambda run: (run / "audit.txt").write_text("passed"), "audit.txt"),
    "collective certificate removed": Forgery(removed("collective.json"), "collective"),
    "certificate removed": Forgery(removed("certificate.json"), "collective"),
    "a gigantic member of an archive": Forgery(huge_member, "votes"),
    "deep JSON": Forgery(deep_json("collective.json"), "collective.json"),
    "a deep plan": Forgery(deep_json("plan.json"), "plan.json", stated=False),
    "a link": Forgery(link, "report.html", stated=False),
    "a pipe": Forgery(pipe, "certificate.json", stated=False),
}  # fmt: skip


def forged(name: str, honest: Path, target: Path) -> Forgery:
    """Copy a run and forge it; beside `target` another run must lie, named "another"."""
    forgery = FORGERIES[name]
    shutil.copytree(honest, target)
    forgery.forge(target)
    if forgery.stated:
        write_statement(target)
    return forgery
