"""Pilot, votes, certificate, claim: the share of runs with any false claim is at most α, for every family.

False-alarm rate: 1e-4 for all honest cases of one function together, whatever the seed (`FALSE_ALARM`).
"""

import pytest
from counted_runs import Count, counted, line, shared_pilot, undivided
from guarantee_cases import ALPHA, Case
from guarantee_table import CASES
from seeds import fresh_rng

NAMED = {case.name: case for case in CASES}
QUICK = [NAMED[name] for name in ("flips, binary, sampled", "flips, multi-class, bounds", "a tie of two classes")]


def check(case: Case, runs: int) -> None:
    found = counted(case, runs, fresh_rng())
    print(line(case, found))
    assert not found.accused, line(case, found)


@pytest.mark.parametrize("case", QUICK, ids=lambda one: one.name)
def test_false_claims_are_as_rare_as_promised_in_a_few_runs(case: Case) -> None:
    check(case, 200)
    assert counted(case, 200, fresh_rng(), undivided).accused


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda one: one.name)
def test_false_claims_are_as_rare_as_promised(case: Case) -> None:
    check(case, 2_000)


@pytest.mark.slow
@pytest.mark.parametrize("case", [one for one in CASES if not one.idle], ids=lambda one: one.name)
def test_a_level_that_is_not_divided_among_the_claims_is_caught(case: Case) -> None:
    found = counted(case, 2_000, fresh_rng(), undivided)
    print(line(case, found))
    assert found.accused, line(case, found)


@pytest.mark.slow
def test_a_pilot_that_is_counted_again_is_caught() -> None:
    """Of two equally likely classes the one with more votes is chosen, by the very votes that bound it."""
    case = NAMED["a tie of two classes"]
    found = counted(case, 12_000, fresh_rng(), shared_pilot)  # the share is only half as large again
    print(line(case, found))
    assert found.accused, line(case, found)


def test_the_verdict_is_the_binomial_one() -> None:
    """Twice α is accused in 2,000 runs, α itself and a little more are not, and no count of zero is."""
    verdicts = [Count(int(share * 2_000), 2_000).accused for share in (0, ALPHA, 1.2 * ALPHA, 2 * ALPHA)]
    assert verdicts == [False, False, False, True]
