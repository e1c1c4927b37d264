"""The multi-class rule: what each class may take of the level, which classes a node can fall to, and how it is kept."""

import json
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from pair_oracle import falls
from seeds import fresh_rng

from graphcert.certificates import Attack, Certificate, certify
from graphcert.certificates.confidence_bounds import split_level
from graphcert.errors import InputError
from graphcert.noise import BernoulliFlip, Budget, Gaussian, Partition, Smoothing
from graphcert.statistics import clopper_pearson_lower, clopper_pearson_upper
from graphcert.tradeoff import budget_trade_offs
from graphcert.votes import Votes

FLIPS = Smoothing(BernoulliFlip(0.05, 0.4))
SHARES = [0.5, 0.3, 0.9, 1e-9, 1 - 2.0**-30]


def votes(classes: int = 4, nodes: int = 60, samples: int = 3_000, smoothing: Smoothing = FLIPS, **more) -> Votes:
    rng = fresh_rng()
    p = rng.dirichlet([9, 3, *[0.3] * (classes - 2)], nodes)
    return Votes(
        np.tile(np.eye(1, classes, dtype=int)[0] * 100, (nodes, 1)), rng.multinomial(samples, p), smoothing, **more
    )


# The level


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("level", [0.01, 0.01 / 2530, 1e-300, 0.1 + 0.2])
def test_the_parts_of_the_level_never_add_up_to_more(level: float, share: float) -> None:
    of_label, of_others = split_level(level, share)
    total = Fraction(of_label) + Fraction(of_others)
    assert 0 < of_label < level > of_others > 0
    assert Fraction(level) * (1 - Fraction(1, 2**50)) <= total <= Fraction(level)
    if share == 0.5:
        assert (of_label, of_others) == (level / 2, level / 2)


@pytest.mark.parametrize("share", [None, 0.3, 0.9])
@pytest.mark.parametrize("classes", [3, 5, 10])
def test_every_other_class_has_the_whole_rest_of_the_level(classes: int, share: float | None) -> None:
    given = votes(classes, total_variation=2.0**-20)
    found = certify(given, 0.02, method="multiclass", label_share=share)
    of_label, of_others = split_level(0.02 / given.nodes, 0.5 if share is None else share)
    near = 2.0**-20
    p = np.maximum(np.nextafter(clopper_pearson_lower(given.successes, given.samples, of_label) - near, -1), 0)
    np.testing.assert_array_equal(found.p_lower, p)
    other = np.nextafter(clopper_pearson_upper(given.counts[:, 1:], given.samples, of_others).max(axis=1) + near, 2)
    np.testing.assert_array_equal(found.p_other_upper, np.minimum(other, np.minimum(np.nextafter(1 - p, 2), 1)))
    assert (found.label_share, found.method) == (0.5 if share is None else share, "multiclass")


def test_more_classes_take_nothing_away() -> None:
    """The same counts with ten more classes, to which no vote goes."""
    few = votes(3)
    many = Votes(*(np.pad(counts, ((0, 0), (0, 10))) for counts in (few.pilot_counts, few.counts)), FLIPS)
    a, b = (certify(each, method="multiclass") for each in (few, many))
    np.testing.assert_array_equal(a.p_lower, b.p_lower)
    np.testing.assert_array_equal(a.p_other_upper, b.p_other_upper)


@pytest.mark.parametrize("classes", [2, 3, 6])
@pytest.mark.parametrize("smoothing", [FLIPS, Smoothing(Gaussian(0.5))], ids=["flips", "gaussian"])
def test_the_binary_rule_at_the_same_bound_of_the_label_is_contained(classes: int, smoothing: Smoothing) -> None:
    given = votes(classes, smoothing=smoothing)
    pair, half = certify(given, 0.02, method="multiclass"), certify(given, 0.01, method="binary")
    np.testing.assert_array_equal(pair.p_lower, half.p_lower)
    if smoothing is FLIPS:
        for add, delete in product(range(3), range(4)):
            assert not (half.robust(add, delete) & ~pair.robust(add, delete)).any()
    else:
        assert (pair.radius() >= half.radius()).all()
        for norm in (0.1, 0.3, 0.6, *half.radius()[:5]):
            assert not (half.robust(shift=norm) & ~pair.robust(shift=norm)).any()


@pytest.mark.parametrize("share", [0, 1, -0.5, 1.5, float("nan"), True, "half"])
def test_a_share_that_leaves_one_side_nothing_is_refused(share: object) -> None:
    with pytest.raises(InputError, match="label_share"):
        certify(votes(), method="multiclass", label_share=share)  # type: ignore[arg-type]


@pytest.mark.parametrize(("classes", "method"), [(2, "binary"), (3, "multiclass"), (7, "multiclass")])
def test_the_rule_depends_on_the_number_of_classes_by_default(classes: int, method: str) -> None:
    given = votes(classes)
    found = certify(given)
    assert found.method == method
    assert found.to_dict() == certify(given, method=method).to_dict()  # the same claims, which cost nothing more
    with pytest.raises(InputError, match="leave it out under the binary rule"):
        certify(votes(2), label_share=0.5)


def test_what_the_binary_rule_cannot_use_is_refused() -> None:
    with pytest.raises(InputError, match="label_share"):
        certify(votes(), method="binary", label_share=0.5)
    with pytest.raises(InputError, match="one of binary, multiclass"):
        certify(votes(), method="majority")


def test_two_shares_of_the_same_votes_are_two_certificates() -> None:
    given = votes()
    certify(given, method="multiclass")
    certify(given, method="multiclass", label_share=0.5)
    with pytest.warns(match="error rates of several certificates add up"):
        certify(given, method="multiclass", label_share=0.6)


def test_counts_made_elsewhere_certify() -> None:
    """(N, K) whole numbers of any kind are votes; nothing else is needed."""
    pilot = np.array([[40, 35, 25], [80, 10, 10]], dtype=np.uint16)
    given = Votes(pilot, [[4_600, 2_700, 2_700], [3_300, 3_400, 3_300]], Smoothing(BernoulliFlip(0.05, 0.8)))
    found = certify(given, method="multiclass")
    assert found.abstained.tolist() == [False, True]
    assert certify(given, method="binary").abstained.all()
    assert found.robust(0, 1).tolist() == [True, False]


# Classes to which a node can fall


def test_bounds_of_single_classes_share_what_is_left_for_the_others() -> None:
    """Each class has to lie below its own bound: here the others do share."""
    given = votes(4)
    found = certify(given, 0.02, method="multiclass", targets=np.arange(1, given.nodes))
    level = 0.01 / (given.nodes - 1)
    upper = clopper_pearson_upper(given.counts, given.samples, level / 3)
    assert found.p_class_upper is not None
    left = np.nextafter(1 - found.p_lower, 2)[:, None]
    np.testing.assert_array_equal(found.p_class_upper[1:, 1:], np.minimum(upper, left)[1:, 1:])
    assert (found.p_class_upper[:, 0] == 1).all()
    assert (found.p_class_upper[0] == 1).all()
    assert (found.p_class_upper[1:, 1:].max(axis=1) >= found.p_other_upper[1:]).all()
    assert certify(given, 0.02, method="binary").p_class_upper is None


@pytest.mark.parametrize("classes", [3, 4])
def test_a_class_is_possible_exactly_if_the_worst_classifier_of_its_bound_takes_the_label(classes: int) -> None:
    """Against exact rational trade-offs: never left out where it is possible, and left out where clearly it is not."""
    found = certify(votes(classes), method="multiclass")
    assert found.p_class_upper is not None
    left_out = 0
    for add, delete in product(range(3), range(4)):
        (seen,) = budget_trade_offs(FLIPS, Budget(add, delete), 0.0, found.nodes)
        possible = found.possible_at([add], [delete])
        assert possible is not None
        assert possible[:, 0].all()
        for node, k in product(range(found.nodes), range(1, classes)):
            truly = falls(seen, found.p_lower[node], found.p_class_upper[node, k])
            near = falls(seen, found.p_lower[node] - 1e-9, found.p_class_upper[node, k] + 1e-9)
            assert truly <= possible[node, k] <= near
            left_out += not possible[node, k]
    assert left_out > 0


LOCALIZED = Smoothing(
    [BernoulliFlip(0.02, 0.5), BernoulliFlip(0.1, 0.7)], partition=Partition(np.arange(60) % 2, [[0, 1], [1, 0]])
)


def attacks(certificate: Certificate) -> list[Attack]:
    return [Attack.of(certificate, certificate.collective(*budget)) for budget in [(1, 0), (0, 2), (2, 3)]]


def test_an_attack_says_to_which_classes_its_targets_can_fall() -> None:
    certificate = certify(votes(4, smoothing=LOCALIZED), method="multiclass", targets=np.arange(0, 60, 2))
    found = attacks(certificate)
    assert any(attack.broken.any() for attack in found)
    for attack in found:
        possible = attack.possible
        assert possible is not None
        np.testing.assert_array_equal(possible.any(axis=1), attack.broken)
        assert not possible[np.arange(60), certificate.labels].any()
        reached = certificate.possible_at(attack.feature_add, attack.feature_delete)
        assert reached is not None
        np.testing.assert_array_equal(possible[attack.broken, 1:], reached[attack.broken, 1:])
        single = int((possible.sum(axis=1) == 1).sum())
        words = f" ({single} of them to one class only)" if single else ""
        assert f"{attack.broken.sum()} targets may fall{words}, " in attack.summary()


def test_an_attack_by_the_binary_rule_names_no_classes() -> None:
    certificate = certify(votes(4, smoothing=LOCALIZED), method="binary")
    assert certificate.possible_at() is None
    (attack, *_) = attacks(certificate)
    assert attack.possible is None
    assert "class" not in attack.summary()
    assert "possible" not in attack.to_dict()


# Files


def test_shares_and_bounds_of_classes_are_kept(tmp_path: Path) -> None:
    saved = certify(votes(4, smoothing=LOCALIZED), method="multiclass", label_share=0.7)
    saved.save(tmp_path / "certificate.npz")
    assert saved.p_class_upper is not None
    for read in (
        Certificate.load(tmp_path / "certificate.npz"), Certificate.from_dict(json.loads(json.dumps(saved.to_dict())))
    ):  # fmt: skip
        assert read.label_share == 0.7
        assert read.p_class_upper is not None
        np.testing.assert_array_equal(read.p_class_upper, saved.p_class_upper)
    attack = attacks(saved)[-1]
    attack.save(tmp_path / "attack.npz")
    again = Attack.load(tmp_path / "attack.npz")
    assert again.possible is not None
    assert attack.possible is not None
    np.testing.assert_array_equal(again.possible, attack.possible)
    assert again.summary() == attack.summary()


def test_certificates_of_older_versions_answer_as_before() -> None:
    """Neither the share nor the bounds of single classes were kept; which classes are possible is then unknown."""
    made = certify(votes(4, smoothing=LOCALIZED), method="multiclass")
    old = {name: value for name, value in made.to_dict().items() if name not in ("label_share", "p_class_upper")}
    read = Certificate.from_dict(old)
    assert (read.label_share, read.p_class_upper) == (None, None)
    np.testing.assert_array_equal(read.robust(1, 2), made.robust(1, 2))
    assert all(attack.possible is None for attack in attacks(read))
    assert Certificate.from_dict(read.to_dict()).to_dict() == old


@pytest.mark.parametrize(
    "changed",
    [
        {"label_share": 1.0}, {"label_share": 0.0}, {"p_class_upper": [[1.0] * 4]},
        {"p_class_upper": [[1.0, 0.0, 0.0, 0.0]] * 60}, {"p_class_upper": [[1.0, 2.0, 0.0, 0.0]] * 60}, {"classes": 5},
    ],
    ids=["share 1", "share 0", "one row", "no class is left", "no probability", "another number"],
)  # fmt: skip
def test_numbers_that_contradict_each_other_are_refused(changed: dict[str, object]) -> None:
    made = certify(votes(4), method="multiclass").to_dict()
    with pytest.raises(InputError):
        Certificate.from_dict(made | changed)
