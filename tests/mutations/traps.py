"""The 26 traps of docs/theory.md, section 11, each planted by the smallest edit, and the tests that must fail on it."""

from typing import NamedTuple


class Edit(NamedTuple):
    """`old`, which occurs exactly once in `file` of the package, becomes `new`."""

    file: str
    old: str
    new: str


class Mutation(NamedTuple):
    """One mistake.

    Attributes:
        trap: its number in docs/theory.md, section 11.
        mistake: what the edits plant, in words.
        edits: all of them together are the mistake.
        tests: each of them must fail, by an assertion or a missing refusal and not because the code does not run.
    """

    trap: int
    mistake: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]


HALF_SPACES = "tradeoff/half_spaces.py"
BOUNDS = "certificates/confidence_bounds.py"
VOTES = "votes/votes.py"

MUTATIONS = [
    Mutation(
        1, "η divides by the squared variance",
        (Edit(HALF_SPACES, "np.minimum(variance, cap))", "np.minimum(variance, cap) ** 2)"),),
        ("tradeoff/test_half_spaces.py::test_the_squared_variance_would_certify_what_a_perturbation_breaks",
         "certificates/test_certify_scores.py::test_trap_01_the_squared_variance_would_certify_what_a_perturbation_breaks"),
    ),
    Mutation(
        2, "blocks in the order of nearness stand for their ranks",
        (Edit("noise/partition.py", "np.put_along_axis(rank, order, np.arange(len(order))[None, :], axis=1)",
              "rank = order"),
         # The check of a partition would see it.
         Edit("noise/partition.py", ".all() or self.rank.diagonal().any():", ".all():")),
        ("test_partition_description.py::test_the_rank_is_not_the_sorted_list_of_blocks",
         "data/test_partition_graph.py::test_four_cliques_are_found_and_ranked"),
    ),
    Mutation(
        3, "every claim spends the whole level",
        (Edit(BOUNDS, "level / (int(mask.sum()) if simultaneous else 1)", "level"),),
        ("certificates/test_certify.py::test_trap_03_the_level_is_divided_by_the_number_of_simultaneous_claims",
         "certificates/test_certify.py::test_all_claims_hold_at_once_as_often_as_promised"),
    ),
    Mutation(
        4, "of the other classes only the pilot's runner-up is bounded",
        (Edit(BOUNDS, "others.max(axis=1)",
              "np.take_along_axis(others, np.argsort(-votes.pilot_counts, axis=1, kind='stable')[:, 1:2], axis=1)[:, 0]"),),
        ("certificates/test_certify.py::test_trap_04_every_other_class_is_bounded_and_not_only_the_pilots_runner_up",
         "certificates/test_multiclass_coverage.py::test_a_false_claim_is_as_rare_as_promised"),
    ),
    Mutation(
        5, "positions of additions are drawn with replacement, and only the mean of their number is put right",
        (Edit("sampling/flips.py", "                out[at] = position\n",
              "                out[at] = (np.int64(u & np.uint32(0xFFFF)) * elements) >> 16\n"),
         Edit("sampling/flips.py", "survive = Fraction(1) - Fraction(rate)",
              "survive = Fraction(1) - Fraction(min(-math.log1p(-rate), 1.0) if rate < 1 else 1)")),
        ("sampling/test_sampler_law.py::test_a_table_cut_short_keeps_the_law",),
    ),
    Mutation(
        6, "the objective of a relaxation is floored",
        (Edit("collective/bound_loop.py", "weak_duality_bound(program, relaxed.duals)",
              "float(program.objective @ relaxed.point)"),),
        ("collective/test_safe_bounds.py::test_what_a_solver_has_reached_is_no_bound",),
    ),
    Mutation(
        6, "an integer solve counts as a proof whatever its status is",
        (Edit("collective/solvers/safe_bounds.py", "not solution.trusted or not math.isfinite", "not math.isfinite"),),
        ("collective/test_safe_bounds.py::test_what_is_no_proof_certifies_nothing",),
    ),
    Mutation(
        7, "labels are chosen by the final votes, bounds are about those of the pilot",
        (Edit("certificates/vote_certificate.py", "labels=votes.labels, **vote_bounds",
              "labels=votes.counts.argmax(axis=1), **vote_bounds"),),
        ("certificates/test_certify.py::test_trap_07_the_certified_label_is_the_label_that_accuracy_is_counted_for",),
    ),
    Mutation(
        8, "layers that keep the normalised adjacency may vote",
        (Edit("voting/sample.py", "    model_checks.refuse_cached_normalisation(module)\n", ""),
         # What looks for any other memory would see it.
         Edit("voting/sample.py", '    refuse_memory(model, ask.answer, lookalikes(problem), "graphs")\n', "")),
        ("voting/test_voting_refusals.py::test_cached_normalisation",),
    ),
    Mutation(
        9, "models vote in training mode",
        (Edit("voting/model_checks.py", "    model.eval()\n", ""),),
        ("voting/test_evaluation_mode.py::test_dropout_and_batch_statistics_are_frozen",),
    ),
    Mutation(
        10, "product atoms of features and edges are not sorted again",
        (Edit("tradeoff/discrete.py", "return self.from_atoms(product(self.atoms, other.atoms), bits)",
              "return DiscreteTradeOff(tuple(product(self.atoms, other.atoms)), bits)"),),
        ("tradeoff/test_atoms.py::test_trap_product_atoms_are_sorted_again",
         "certificates/test_exhaustive.py::test_features_and_edges_together_are_never_over_certified"),
    ),
    Mutation(
        11, "the sampler rounds the rate to float32",
        (Edit("sampling/flips.py", "    exact = Fraction(rate) * 2**128\n",
              "    exact = Fraction(float(np.float32(rate))) * 2**128\n"),),
        ("sampling/test_flip_tables.py::test_a_rate_of_128_digits_is_off_by_no_more_than_stated",),
    ),
    Mutation(
        11, "the distance between the sampled and the certified law is not charged",
        (Edit(BOUNDS, "return p if distance == 0 else np.maximum(np.nextafter(p - distance, -1.0), 0.0)", "return p"),),
        ("certificates/test_certify.py::test_the_distance_between_the_sampled_and_the_claimed_law_is_charged",),
    ),
    Mutation(
        12, "noise on a lattice is not rounded to it",
        (Edit("sampling/dense.py", "np.rint(units[c] * scale)", "units[c] * scale"),),
        ("sampling/test_dense_noise.py::"
         "test_on_a_lattice_clean_features_move_noisy_ones_by_whole_steps_and_nothing_else",),
    ),
    Mutation(
        13, "the square forgets that the mean is below one half",
        (Edit(HALF_SPACES, "majority = np.where(mean > 0.5, mean, 0.75)", "majority = mean"),
         Edit(HALF_SPACES, "return np.where(mean > 0.5, eta, 0.0)", "return eta")),
        ("tradeoff/test_half_spaces.py::test_a_mean_below_one_half_certifies_nothing",
         "certificates/test_certify_scores.py::test_trap_13_a_small_mean_certifies_nothing"),
    ),
    Mutation(
        14, "the radius is the first distance that fails",
        (Edit("tradeoff/gaussian.py", "return np.where(certified, low * sigma * (1 - GUARD), 0.0)",
              "return np.where(certified, high * sigma, 0.0)"),
         Edit("tradeoff/gaussian.py", "_HALVINGS = 48", "_HALVINGS = 12")),
        ("tradeoff/test_gaussian_trade_off.py::test_radii_of_the_multiclass_rule",),
    ),
    Mutation(
        15, "atoms are handed on in the order in which they came",
        (Edit("tradeoff/discrete.py", "sorted(present, key=_coarse_ratio, reverse=True)", "present"),),
        ("tradeoff/test_atoms.py::test_merge_sorts_strictly_and_keeps_all_mass",
         "certificates/test_exhaustive.py::test_no_certified_label_is_ever_changed"),
    ),
    Mutation(
        16, "mass that the clean law does not have is dropped",
        (Edit("tradeoff/discrete.py", "clean, perturbed = 0, sum(singular)", "clean, perturbed = 0, 0"),),
        ("tradeoff/test_trade_off_properties.py::test_trap_16_one_sided_channels_keep_their_singular_masses",),
    ),
    Mutation(
        17, "shares of the targets are divided by all nodes",
        (Edit("certificates/node_claims.py", "return float(self._share(budget, self.targets) / self.claims)",
              "return float(self._share(budget, self.targets) / self.nodes)"),),
        ("certificates/test_certify.py::test_trap_17_counts_and_ratios_are_over_the_targets",),
    ),
    Mutation(
        18, "models that answer from earlier graphs may vote",
        (Edit("voting/sample.py", '    refuse_memory(model, ask.answer, lookalikes(problem), "graphs")\n', ""),),
        ("voting/test_models_that_remember.py::test_a_model_that_answers_from_earlier_graphs_is_refused",),
    ),
    Mutation(
        19, "the pilot votes may be given as final votes",
        (Edit(VOTES, "if not independent and np.array_equal(first, second):", "if False:"),
         Edit(VOTES, "if pilot is final or np.shares_memory(first, second):", "if False:")),
        ("certificates/test_same_votes_twice.py::test_copies_are_refused_unless_they_are_said_to_be_drawn_apart",
         "certificates/test_same_votes_twice.py::test_one_array_is_refused_whatever_is_said"),
    ),
    Mutation(
        20, "weights of edges are left out without a word",
        (Edit("voting/noisy_graph.py",
              "if value is not None and name not in names and name not in takes and not one_graph:", "if False:"),),
        ("voting/test_calls_of_models.py::test_what_the_call_leaves_out_is_refused_by_name",),
    ),
    Mutation(
        21, "the rejected votes of a node are left out of its samples",
        (Edit(VOTES, "if ends is None and totals.min() != totals.max():", "if False:"),),
        ("votes/test_votes.py::test_inconsistent_votes_are_refused",),
    ),
    Mutation(
        22, "a limit of rows counts as a budget although nothing changes in them",
        (Edit("certificates/budget_grid.py",
              "if nodes and not (changes or at_will or measured or nodes in with_changes):", "if False:"),),
        ("certificates/test_empty_budgets.py::test_nodes_alone_are_refused_everywhere_alike",),
    ),
    Mutation(
        23, "room for additions and for deletions is counted in different rows",
        (Edit("collective/hierarchical/hierarchical_problem.py",
              "            found[rows] = self.ones is None or self._fits(add, delete, rows)\n",
              "            zeros, ones = (np.sort(n)[::-1][:rows].sum() for n in (self.width - self.ones, self.ones))\n"
              "            found[rows] = add <= zeros and delete <= ones\n"),),
        ("certificates/test_joint_room.py::test_rooms_that_are_counted_apart_are_caught",),
    ),
    Mutation(
        24, "an attack on a relaxation counts as one on the classifier",
        (Edit("collective/hierarchical/hierarchical_certificate.py",
              "return replace(bound, status=status, attack=float(always) if known else math.nan)",
              "return replace(bound, status=status)"),),
        ("certificates/test_joint_room.py::"
         "test_where_nothing_is_enumerated_the_gap_reaches_to_a_perturbation_that_exists",),
    ),
    Mutation(
        25, "capacities are read from another graph than the one that was voted on",
        (Edit("certificates/clean_graph.py", "        if other:\n", "        if False:\n"),),
        ("certificates/test_clean_graph.py::test_a_foreign_graph_is_refused_by_what_differs",),
    ),
    Mutation(
        26, "a bound counts although a known attack breaks more",
        (Edit("collective/bound_loop.py", "while found.attacked < attack:", "while False:"),),
        ("collective/test_refuted_bounds.py::test_a_claim_below_the_attack_of_its_own_solve",
         "collective/test_refuted_bounds.py::test_our_own_search_is_not_believed_either"),
    ),
]  # fmt: skip
"""In the order of the traps; each trap has one mutation at least."""
