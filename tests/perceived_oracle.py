"""Truth of the certificate that is strictly local and localized: every allowed change at every place."""

from itertools import combinations, product

import numpy as np
from hypothesis import strategies as st
from seeds import fresh_rng

from graphcert.collective import LocalizedProblem, axis_weights, receptive_field, undirected_edges
from graphcert.noise import BernoulliFlip
from graphcert.tradeoff.half_spaces import DEFAULT_ORDERS, order_eta

FEATURES = ("feature_add", "feature_delete")
CLASSES = [("feature_add",), ("edge_delete",), ("feature_add", "feature_delete"), ("feature_delete", "edge_delete")]


def perceived(case, changes):
    """(N, A) what every output perceives of the changes (one array per class), per axis, in plain arithmetic."""
    problem = case["problem"]
    seen = np.zeros((problem.outputs, problem.capacity.size))
    for name, b in changes.items():
        matrix = case["perception"][name].toarray()
        for n, m in zip(*np.nonzero(matrix), strict=True):
            seen[n, case["axis_of"][name][m]] += b[m]
    return seen


def broken(case, changes):
    """(N,) which outputs have all of their half-spaces crossed by what they perceive (∞·0 = 0)."""
    problem, seen = case["problem"], perceived(case, changes)
    crossed = np.ones(problem.outputs, dtype=bool)
    for weights, eta in zip(problem.weights, problem.eta, strict=True):
        heavy = weights[problem.groups]
        spent = np.where(seen > 0, heavy, 0.0) * np.where(seen > 0, seen, 1.0)
        crossed &= spent.sum(axis=1) >= eta
    return crossed


def allowed_changes(case, budget):
    """Every change within budgets, capacities, local budgets and attackers: a dictionary of one b per class."""
    nodes = case["problem"].outputs
    touched = case.get("attackers")
    crews = combinations(range(nodes), min(touched, nodes)) if touched is not None else [range(nodes)]
    seen = set()
    for crew in crews:
        per_class = [_changes(case, name, total, set(crew)) for name, total in _spent(case, budget)]
        for change in product(*per_class):
            if change not in seen:
                seen.add(change)
                yield {name: np.array(b, dtype=int) for (name, _), b in zip(_spent(case, budget), change, strict=True)}


def _spent(case, budget):
    pairs = zip(case["problem"].classes, budget, strict=True)
    return [(name, total) for name, total in pairs if name in case["perception"]]


def _changes(case, name, total, crew):
    """All b of one class, each a tuple over its columns."""
    problem, nodes = case["problem"], case["problem"].outputs
    columns = case["perception"][name].shape[1]
    limit = (case.get("local_budget") or {}).get(name)
    per_node = np.broadcast_to(total if limit is None else limit, (nodes,))
    if name in FEATURES:
        most = [min(total, int(per_node[m])) if m in crew else 0 for m in range(columns)]
    else:
        ends = case["endpoints"]
        most = [min(total, int(bool({*ends[:, e].tolist()} & crew))) for e in range(columns)]
    axes = case["axis_of"][name]
    for b in product(*(range(m + 1) for m in most)):
        on_axes = np.bincount(axes, b, minlength=problem.capacity.size) if b else np.zeros(problem.capacity.size)
        if sum(b) > total or (on_axes > problem.capacity).any():
            continue
        if name not in FEATURES:
            at_node = [sum(b[e] for e in range(columns) if n in case["endpoints"][:, e]) for n in range(nodes)]
            if (np.array(at_node) > per_node).any():
                continue
        yield b


def most_attacked(case, budget, counted=None, robust_per_node=None):
    """The largest number of counted outputs that one allowed change breaks."""
    worth = np.ones(case["problem"].outputs, dtype=bool) if counted is None else counted.copy()
    if robust_per_node is not None:
        worth &= ~robust_per_node
    return max(int((broken(case, changes) & worth).sum()) for changes in allowed_changes(case, budget))


@st.composite
def integers(draw, low, high, *shape):
    size = int(np.prod(shape))
    return np.array(draw(st.lists(st.integers(low, high), min_size=size, max_size=size)), dtype=int).reshape(shape)


@st.composite
def cases(draw, max_nodes=5, limits=True, infinite=True, blocks=None, everything=False, roomy=False):
    """A random graph in blocks, its receptive fields and half-spaces in whole numbers, so that ties are exact."""
    nodes = draw(st.integers(2, max_nodes))
    pairs = [(u, v) for u in range(nodes) for v in range(u + 1, nodes)]
    edges = np.array(draw(st.lists(st.sampled_from(pairs), min_size=1, max_size=5, unique=True)), dtype=np.int64).T
    ends = undirected_edges(edges, nodes)
    classes = draw(st.sampled_from(CLASSES))
    parts = draw(st.integers(1, 3)) if blocks is None else blocks
    block = draw(integers(0, parts - 1, nodes))
    low, high = np.triu_indices(parts)
    pair = np.zeros((parts, parts), dtype=int)
    pair[low, high] = pair[high, low] = np.arange(low.size)
    sizes = [parts if name in FEATURES else low.size for name in classes]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    axes, groups, directions = int(starts[-1]), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    perception, axis_of = {}, {}
    for name, start in zip(classes, starts, strict=False):
        hops = draw(st.sampled_from([1, 1, 0, 2]))
        perception[name] = receptive_field(edges, hops, name, num_nodes=nodes)
        if everything:
            perception[name] = type(perception[name])(np.ones(perception[name].shape))
        axis_of[name] = start + (block if name in FEATURES else pair[block[ends[0]], block[ends[1]]])
    weights = draw(integers(0, 4, directions, groups, axes)).astype(float)
    if draw(st.booleans()):
        steepness = draw(integers(1, 2, directions))
        eta = (steepness[:, None] * draw(integers(0, 6, nodes))).astype(float)
    else:
        eta = draw(integers(-1, 9, directions, nodes)).astype(float)
    if infinite and draw(st.booleans()):
        weights[draw(integers(0, 5, *weights.shape)) == 0] = np.inf
        eta[draw(integers(0, 9, *eta.shape)) == 0] = np.inf
    capacity = np.full(axes, 99) if roomy or draw(st.booleans()) else draw(integers(0, 3, axes))
    problem = LocalizedProblem(
        groups=draw(integers(0, groups - 1, nodes)),
        eta=eta,
        weights=weights,
        axis_class=np.repeat(np.arange(len(classes)), sizes),
        capacity=capacity,
        classes=classes,
    )
    case = {"problem": problem, "perception": perception, "axis_of": axis_of, "endpoints": ends}
    if limits:
        per_class = st.one_of(st.none(), st.integers(0, 2), integers(0, 2, nodes))
        case["local_budget"] = draw(st.one_of(st.none(), st.fixed_dictionaries(dict.fromkeys(classes, per_class))))
        case["attackers"] = draw(st.one_of(st.none(), st.none(), st.integers(0, 2)))
    most = 4 if len(classes) == 1 else 2
    budget = draw(st.tuples(*[st.integers(0, most) for _ in classes]).filter(any))
    return case, budget


def masks(case):
    """A strategy for a boolean mask over outputs with at least one True."""
    size = case["problem"].outputs
    return st.lists(st.booleans(), min_size=size, max_size=size).map(np.array).filter(np.any)


def ring(nodes, blocks=4, directions=None):
    """A ring with chords in blocks under rising noise, made-up majorities: what a real problem looks like, at any size."""
    rng = fresh_rng()
    edges = np.stack([np.arange(nodes), (np.arange(nodes) + 1) % nodes])
    edges = np.concatenate([edges, rng.integers(0, nodes, (2, nodes // 4))], axis=1)
    laws = [BernoulliFlip(0.02 + 0.01 * k, 0.6 + 0.1 * k) for k in range(blocks)]
    rank = np.stack([np.roll(np.arange(blocks), i) for i in range(blocks)])
    orders = DEFAULT_ORDERS[:directions]
    p = 1 - 0.5 * rng.beta(0.4, 1.2, nodes).round(3)
    block = np.arange(nodes) * blocks // nodes
    problem = LocalizedProblem(
        groups=block,
        eta=np.stack([order_eta(p, *order) for order in orders]),
        weights=axis_weights(laws, np.tile(rank, 2), np.repeat([False, True], blocks), orders),
        axis_class=np.repeat([0, 1], blocks),
        capacity=np.full(2 * blocks, 10**6),
        classes=FEATURES,
    )
    field = receptive_field(edges, 2, "feature_add", num_nodes=nodes)
    return {
        "problem": problem,
        "perception": {"feature_add": field, "feature_delete": field},
        "axis_of": {"feature_add": block, "feature_delete": blocks + block},
    }
