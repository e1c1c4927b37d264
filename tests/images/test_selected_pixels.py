"""Runs over images in which only selected pixels, or tiles, are noised or hidden: claims, tables, pages, networks."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import norm
from shape_pictures import NAMES, pictures

import graphcert as gc
from graphcert.errors import InputError
from graphcert.images.image_model import Unmarked
from graphcert.images.segmenter import Segmenter
from graphcert.images.unet_training import Marking, UNetTraining, add_noise
from graphcert.report.images.claims import HEADER, Change, changes_of
from graphcert.run.commitment import image_choices, image_plan
from graphcert.run.image_claims import certify_image
from graphcert.run.image_network import train_segmenter
from graphcert.run.images import SegmentRun
from graphcert.run.settings.image_run import SegmentSettings

SIZE, NORMS = (24, 32), (0.0, 0.05, 0.1)
FEW = {"samples": 150, "pilot_samples": 15}
SMALL = {"shape": {"width": 8, "depth": 2, "cell": 1}, "training": UNetTraining(steps=60, batch=4, learning_rate=0.02)}
MARKS = {"marked.pt": Marking(0.85, 0.95, 4), "hidden.pt": Marking(0.85, 0.95, hide=True), "plain.pt": None}


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of images and masks, and networks that see which pixels are noised or hidden, and one that does not."""
    root = tmp_path_factory.mktemp("selected")
    for name, count, seed in (("train", 10, 0), ("test", 1, 7)):
        images, masks = pictures(count, seed)
        for kind, arrays in (("images", images), ("masks", masks)):
            (root / name / kind).mkdir(parents=True)
            for k, array in enumerate(arrays):
                Image.fromarray(array).save(root / name / kind / f"{k:02d}.png")
    folders = (str(root / "train/images"), str(root / "train/masks"))
    for name, marking in MARKS.items():
        sigma = 0.0 if name == "hidden.pt" else 0.3
        train_segmenter(root / name, folders, sigma, names=NAMES, marking=marking, **SMALL)  # type: ignore[arg-type]
    return root


def settings(shapes: Path, network: str = "marked.pt", **options: object) -> SegmentSettings:
    given: dict[str, object] = {"sigma": (0.15,), "select": (0.9,), "budgets": NORMS, **FEW, **options}
    if "ablate" in given:
        given = {name: value for name, value in given.items() if name not in ("sigma", "select", "budgets")}
    folders = {"images": str(shapes / "test/images"), "masks": str(shapes / "test/masks")}
    return SegmentSettings(model=str(shapes / network), **{**folders, **given})  # type: ignore[arg-type]


def table(folder: Path) -> list[dict[str, str]]:
    with open(folder / "results.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def closed_form(sigma: float, tau: float, select: float, rows: int) -> float:
    delta = 1 - select**rows
    if tau <= delta or (tau - delta) / (1 - delta) <= 1 / (2 * (1 - delta)):
        return 0.0
    return float(sigma * (norm.ppf((tau - delta) / (1 - delta)) - norm.ppf(1 / (2 * (1 - delta)))))


@pytest.mark.parametrize(("tile", "touched"), [(None, (1, 2, 4)), (4, (1, 2, 3))])
def test_segcertify_has_a_radius_for_every_number_of_touched_pixels(
    shapes: Path, tmp_path: Path, tile: int | None, touched: tuple[int, ...]
) -> None:
    wanted = settings(shapes, tile=tile, touched=touched, tau=0.8)
    content = SegmentRun(tmp_path / "run").certify(wanted)
    (found,) = content.claims
    assert found.radii == pytest.approx([closed_form(0.15, 0.8, 0.9, r) for r in touched], abs=1e-9)
    assert all(0 <= radius <= closed_form(0.15, 0.8, 0.9, r) for radius, r in zip(found.radii, touched, strict=True))
    assert found.radii[0] < 0.15 * norm.ppf(0.8), "never that of the plain noise"
    rows = table(tmp_path / "run")
    first = [row for row in rows if row["claim"] == "segcertify"]
    assert [(int(row["touched"]), float(row["budget"])) for row in first] == list(
        zip(touched, found.radii, strict=True)
    )
    claims = gc.certify(gc.sample_image_votes(
        gc.ImageModel(Segmenter.load(shapes / "marked.pt").model),
        np.asarray(Image.open(shapes / "test/images/00.png")), wanted.smoothing(*SIZE), 150, 15,
    ), 0.01)  # fmt: skip
    others = [row for row in rows if row["claim"] == "simultaneous"]
    assert [(int(row["touched"]), float(row["budget"])) for row in others] == [(r, b) for r in touched for b in NORMS]
    for row in others:
        kept = claims.robust(shift=float(row["budget"]), nodes=int(row["touched"])).mean()
        assert float(row["certified"]) == pytest.approx(kept, abs=1e-12)
    assert float(others[1]["certified"]) > 0.5
    assert (tmp_path / "run/pictures/00/certified-0.050-touched-2.png").is_file()
    page = (tmp_path / "run/report.html").read_text()
    assert ("tile of 4 × 4 pixels" in page) == (tile is not None)
    assert "does not see the mark" not in page


def test_where_nothing_can_change_segcertify_claims_nothing(shapes: Path, tmp_path: Path) -> None:
    SegmentRun(tmp_path / "run").certify(settings(shapes, select=(0.6,), touched=(1, 2)))
    first = [row for row in table(tmp_path / "run") if row["claim"] == "segcertify"]
    assert [(float(row["budget"]), float(row["certified"])) for row in first] == [(0, 0), (0, 0)]
    assert "no change is certified at this τ" in (tmp_path / "run/report.html").read_text()


def test_many_limits_have_rows_of_their_own_and_not_all_of_them_lines(shapes: Path, tmp_path: Path) -> None:
    SegmentRun(tmp_path / "run").certify(settings(shapes, select=(0.99,), touched=tuple(range(1, 21))))
    page = (tmp_path / "run/report.html").read_text()
    assert all(f"≤ {r} pixel" in page for r in range(1, 21))


def test_hidden_pixels_may_change_at_will(shapes: Path, tmp_path: Path) -> None:
    wanted = settings(shapes, "hidden.pt", ablate=(0.9,), touched=(1, 2, 3))
    (found,) = SegmentRun(tmp_path / "run").certify(wanted).claims
    assert found.radii == (np.inf, np.inf, np.inf, 0.0), (
        "0.75 − δ is above one half for δ = 0, 0.1 and 0.19, not for 0.271"
    )
    rows = table(tmp_path / "run")
    assert [(row["claim"], row["budget"], row["touched"]) for row in rows] == [
        (claim, "", str(r)) for claim in ("segcertify", "simultaneous") for r in range(4)
    ]
    assert [float(row["certified"]) for row in rows[:4]] == [float(rows[0]["certified"])] * 3 + [0.0]
    shares = [float(row["certified"]) for row in rows[4:]]
    assert shares == sorted(shares, reverse=True)
    assert shares[1] > 0.5
    page = (tmp_path / "run/report.html").read_text()
    assert "may change at will" in page
    assert "ℓ2 norms over" not in page


@pytest.mark.parametrize(
    ("network", "given"),
    [
        ("marked.pt", {"sigma": (0.1, 0.3), "select": (0.85, 0.95)}), ("hidden.pt", {"ablate": (0.85, 0.95)}),
        ("marked.pt", {"sigma": (0.1, 0.3), "tile": 4}),
    ],
)  # fmt: skip
def test_pixels_of_cells_are_certified_together(
    shapes: Path, tmp_path: Path, network: str, given: dict[str, object]
) -> None:
    wanted = settings(shapes, network, cells=(2, 2), touched=(1, 2), **given)
    (found,) = SegmentRun(tmp_path / "run").certify(wanted).claims
    assert len(changes_of(wanted)) == len(found.per_pixel) == len(found.certified["collective"])
    assert (found.certified["collective"] >= found.certified["per_pixel"]).all()
    assert (found.certified["collective"] > found.certified["per_pixel"]).any()
    assert (found.correct["collective"] >= found.correct["per_pixel"]).all()
    shards = tmp_path / "run/votes/00"
    votes = gc.sample_image_votes(
        gc.ImageModel(Segmenter.load(shapes / network).model, 3), np.asarray(Image.open(shapes / "test/images/00.png")),
        wanted.smoothing(*SIZE), 150, 15,
    )  # fmt: skip
    assert shards.is_dir()
    claims = gc.certify(votes, 0.01)
    for place, (size, touched) in enumerate(changes_of(wanted)):
        curve = claims.collective(nodes=touched, shift=size, method="lp")
        assert found.certified["collective"][place] == curve.certified[0]
    rows = [row for row in table(tmp_path / "run") if row["claim"] == "simultaneous"]
    assert [float(row["together_certified"]) for row in rows] == (found.certified["collective"] / (24 * 32)).tolist()


def test_runs_without_selection_are_what_they_were(shapes: Path, tmp_path: Path) -> None:
    wanted = SegmentSettings(
        images=str(shapes / "test/images"), model=str(shapes / "plain.pt"), sigma=(0.15,), budgets=NORMS, **FEW
    )  # type: ignore[arg-type]
    assert {"select", "ablate", "tile", "touched"}.isdisjoint(wanted.to_dict())
    plan = image_plan(wanted, {}, {}, "m")
    assert set(plan["noise"]) == {"sigma", "cells", "lattice", "elasticity", "neighbours"}
    assert set(image_choices(wanted)["certificate"]) == {
        "tau", "alpha", "method", "errors", "collective", "compare", "void", "budgets",
    }  # fmt: skip
    (found,) = SegmentRun(tmp_path / "run").certify(wanted).claims
    assert found.radii == (found.radius,)
    assert table(tmp_path / "run")[0].keys() == dict.fromkeys(HEADER).keys()
    assert changes_of(wanted) == [Change(size) for size in NORMS]


def test_the_plan_names_what_is_selected(shapes: Path) -> None:
    wanted = settings(shapes, tile=4, touched=(2,))
    plan = image_plan(wanted, {}, {}, "m")
    assert (plan["noise"]["select"], plan["noise"]["tile"], plan["certificate"]["touched"]) == ([0.9], 4, [2])
    assert SegmentSettings.from_dict(wanted.to_dict()) == wanted
    text = SegmentSettings.from_dict({"images": "i", "model": "m", "ablate": 0.9, "touched": "1:3"})
    assert (text.ablate, text.touched, text.limits(), text.norms()) == ((0.9,), (1, 2, 3), (0, 1, 2, 3), ())


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"select": None, "tile": 4}, "tile"), ({"select": None, "touched": (1,)}, "touched"), ({"tile": 0}, "tile"),
        ({"select": (1.5,)}, "select"), ({"select": (0.0,)}, "select"), ({"select": (0.8, 0.9)}, "cells"),
        ({"touched": (2, 1)}, "touched"), ({"touched": (0, 1)}, "touched"), ({"touched": ()}, "touched"),
        ({"elasticity": 0.01, "train_images": "t"}, "elasticity"),
        ({"compare": True}, "compare"), ({"sigma": (0.1, 0.3), "cells": (2, 2), "select": (0.9, 0.8)}, "near"),
        ({"sigma": (0.1, 0.3), "cells": (2, 2), "select": (0.8, 0.9), "tile": 4}, "several cells"),
        ({"sigma": ()}, "sigma"), ({"select": (True,)}, "select"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_refused(shapes: Path, given: dict[str, object], word: str) -> None:
    with pytest.raises(InputError, match=word):
        settings(shapes, **given)


@pytest.mark.parametrize(
    "given", [{"sigma": (0.1,)}, {"budgets": (0.1,)}, {"lattice": False}, {"cells": (2, 2)}, {"select": (0.9,)}]
)
def test_hidden_pixels_have_no_other_noise(given: dict[str, object]) -> None:
    with pytest.raises(InputError):
        SegmentSettings(images="i", model="m", ablate=(0.9,), **given)  # type: ignore[arg-type]


def test_a_network_without_the_mark_is_certified_and_the_page_says_so(shapes: Path, tmp_path: Path) -> None:
    content = SegmentRun(tmp_path / "run").certify(settings(shapes, "plain.pt", touched=(1,)))
    assert content.claims[0].certified["per_pixel"][1] > 0
    assert "does not see the mark" in (tmp_path / "run/report.html").read_text()
    network = Segmenter.load(shapes / "plain.pt").model
    images = torch.rand(2, 4, *SIZE)
    with torch.inference_mode():
        assert torch.equal(Unmarked(network, 3)(images), network(images[:, :3]))
    assert (Unmarked(network, 3).reach, Unmarked(network, 3).stride) == (network.reach, network.stride)


def test_a_network_that_sees_marks_needs_selected_pixels(shapes: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--select or --ablate"):
        SegmentRun(tmp_path / "run").certify(settings(shapes, select=None))
    assert not (tmp_path / "run/results.csv").exists()


@pytest.mark.parametrize("hide", [False, True])
@pytest.mark.parametrize("tile", [1, 5])
def test_training_shows_what_voting_shows(hide: bool, tile: int) -> None:
    torch.manual_seed(3)
    clean = torch.rand(40, 3, 20, 30) + 1
    noisy = add_noise(clean, 0.5)
    seen = Marking(0.6, 0.8, tile, hide).show(clean, noisy)
    mark = seen[:, 3].bool()
    assert seen.shape == (40, 4, 20, 30)
    wanted = torch.where(mark[:, None], torch.zeros_like(clean) if hide else noisy, clean)
    assert torch.equal(seen[:, :3], wanted)
    blocks = mark.reshape(40, 20 // tile, tile, 30 // tile, tile)
    assert torch.equal(blocks.any(dim=4).any(dim=2), blocks.all(dim=4).all(dim=2))
    # 40 windows of at least 24 tiles: further off with probability below 1e-9 (Hoeffding).
    assert 0.55 < float(mark.float().mean()) < 0.85


def test_one_command_trains_with_the_marks_it_certifies_with(shapes: Path, tmp_path: Path) -> None:
    folders = {"train_images": str(shapes / "train/images"), "train_masks": str(shapes / "train/masks")}
    wanted = settings(shapes, select=(0.9,), tile=4, samples=90)
    given = {**wanted.to_dict(), **folders, "model": "unet", "tau": 0.6, "steps": 2}
    SegmentRun(tmp_path / "run").certify(SegmentSettings.from_dict(given))
    trained = Segmenter.load(tmp_path / "run/model.pt")
    assert trained.model.channels == 4
    assert trained.training["marking"] == {"near": 0.9, "far": 0.9, "tile": 4, "hide": False}
    for other in ({"tile": 2}, {"select": (0.95,)}):
        with pytest.raises(InputError, match="marking"):
            SegmentRun(tmp_path / "run").certify(SegmentSettings.from_dict({**given, **other}), look_again=True)
    plain = {name: value for name, value in given.items() if name not in ("select", "tile", "touched")}
    with pytest.raises(InputError, match="marking"):
        SegmentRun(tmp_path / "run").certify(SegmentSettings.from_dict(plain), look_again=True)


def test_claims_of_other_inputs_have_limits_too() -> None:
    """`certify_image` knows nothing of images: any shape, and settings that only say what is claimed."""
    counts = np.tile([[980, 20, 0], [700, 300, 0]], (8, 1))
    scheme = gc.Hierarchical(0.9, gc.Gaussian(0.25))
    votes = gc.Votes(np.tile([9, 1, 0], (16, 1)), counts, scheme)
    wanted = SegmentSettings(images="i", model="m", sigma=(0.25,), select=(0.9,), budgets=(0.05,), touched=(1, 2))
    found = certify_image("cloud", votes, None, wanted, (16,))
    assert found.per_pixel.shape == (4, 16)
    assert found.certified["per_pixel"].tolist() == [16, 8, 16, 8]
    assert found.correct == {}
