"""Kernels of the compiled forward passes: what graph layers do to one sample after the first product with x.

Axes: N nodes, H columns (hidden units or padded classes). All arrays are float32 and C-contiguous; `indptr`, `indices`
are the noisy adjacency in CSR form without self-loops.
"""

import numpy as np

from graphcert.core.compiled import kernel, reducing_kernel
from graphcert.sampling.simd.row_sums import prefetch_row, sum_rows, sum_rows_restarting, sum_scaled_rows

_CACHED = 2**18
"""Numbers of a table that a fast cache holds; rows of larger ones are asked for before they are read."""
_AHEAD = 16


@kernel
def symmetric_scale(degrees, out):  # type: ignore[no-untyped-def]
    """out (≥ N,) = (degree + 1)^(−1/2), the factor of symmetric normalisation with self-loops (Kipf & Welling 2017)."""
    for i in range(degrees.size):
        out[i] = np.float32(1 / np.sqrt(np.float64(degrees[i] + 1)))


@kernel
def mean_scale(degrees, out):  # type: ignore[no-untyped-def]
    """out (≥ N,) = 1 / degree, and 1 for isolated nodes."""
    for i in range(degrees.size):
        out[i] = np.float32(1 / np.float64(max(1, degrees[i])))


@kernel
def scale_rows(x, scale, out):  # type: ignore[no-untyped-def]
    """out[i] = scale[i] · x[i]."""
    for i in range(x.shape[0]):
        for h in range(x.shape[1]):
            out[i, h] = scale[i] * x[i, h]


@kernel
def copy_columns(x, first, out):  # type: ignore[no-untyped-def]
    """out = the columns of x from `first` on."""
    for i in range(out.shape[0]):
        for h in range(out.shape[1]):
            out[i, h] = x[i, first + h]


@kernel
def add_columns(x, first, out):  # type: ignore[no-untyped-def]
    """out += the columns of x from `first` on."""
    for i in range(out.shape[0]):
        for h in range(out.shape[1]):
            out[i, h] += x[i, first + h]


@kernel
def scale_sums(x, bias, scale, out):  # type: ignore[no-untyped-def]
    """out[i] = scale[i] · (x[i] + bias)."""
    for i in range(x.shape[0]):
        for h in range(x.shape[1]):
            out[i, h] = scale[i] * (x[i, h] + bias[h])


@kernel
def own_columns(x, scale, view_of_node, classes, out):  # type: ignore[no-untyped-def]
    """out[i, k] = scale[i] · x[i, v · classes + k] for the view v of node i, k < `classes` and x (N, ≥ V · classes)."""
    for i in range(x.shape[0]):
        first = view_of_node[i] * classes
        for k in range(classes):
            out[i, k] = scale[i] * x[i, first + k]


@kernel
def gather_sum(indptr, indices, x, own, scale, out):  # type: ignore[no-untyped-def]
    """out[i] = scale[i] · (x[i] if own + Σ_{j ~ i} x[j]); `out` must not be `x`."""
    for i in range(indptr.size - 1):
        first = np.int64(i) if own else np.int64(-1)
        sum_rows(x, indices, np.int64(indptr[i]), np.int64(indptr[i + 1]), first, scale[i], out, np.int64(i))


@kernel
def symmetric_sum(indptr, indices, x, scale, bias, rectify, out):  # type: ignore[no-untyped-def]
    """out[i] = s_i · (s_i · x[i] + Σ_{j ~ i} s_j · x[j]), with s the `scale` (≥ N,); `out` must not be `x`.

    Then plus `bias` (H,) unless it is None, and max(·, 0) if `rectify`.
    """
    none = np.empty(0, np.int32)
    symmetric_rows(indptr, indices, none, none, x, scale, bias, rectify, none, 0, out)


@kernel
def symmetric_layer(  # type: ignore[no-untyped-def]
    indptr, senders, own, slots, x, scale, bias, transposed, rows, sums, out
):
    """out = max(s + `bias`, 0) @ transposed.T for the sums s of `symmetric_rows`, as many rows at a time as `sums` has."""
    nodes = indptr.size - 1
    for start in range(0, nodes, sums.shape[0]):
        stop = min(start + sums.shape[0], nodes)
        part = sums[: stop - start]
        symmetric_rows(indptr, senders, own, slots, x, scale, bias, True, rows, start, part)
        dense(part, transposed, out[start:stop])


@kernel
def symmetric_rows(  # type: ignore[no-untyped-def]
    indptr, senders, own, slots, x, scale, bias, rectify, rows, start, out
):
    """Rows `start`, `start` + 1, … of `symmetric_sum` into out[0], out[1], …, or of the first round on a `JointGraph`.

    Then the senders and each row's `own` place are places of a table: x[slots[p]] and scale[p] belong to place p, and `rows`
    is scratch for the longest row. On one graph `own`, `slots` and `rows` are empty.
    """
    last = senders.size - 1
    for target in range(min(out.shape[0], indptr.size - 1 - start)):
        i = start + target
        begin, end, there = np.int64(indptr[i]), np.int64(indptr[i + 1]), np.int64(target)
        if slots.size > 0:
            for at in range(begin, end):
                rows[at - begin] = slots[senders[at]]
                prefetch_row(x, np.int64(slots[senders[min(at + _AHEAD, last)]]))
            first, factor = np.int64(slots[own[i]]), scale[own[i]]
            sum_scaled_rows(
                x, rows, np.int64(0), end - begin, first, factor, out, there, senders, begin, scale, bias, rectify
            )
        else:
            if x.size > _CACHED:
                for at in range(begin + _AHEAD, end + _AHEAD):
                    prefetch_row(x, np.int64(senders[min(at, last)]))
            first, factor = np.int64(i), scale[i]
            sum_scaled_rows(
                x, senders, begin, end, first, factor, out, there, senders, np.int64(0), scale, bias, rectify
            )


@kernel
def edge_sums(source, target, weight, x, out):  # type: ignore[no-untyped-def]
    """out[target[e]] += weight[e] · x[source[e]] for every edge e in turn; no weights at all are ones."""
    for e in range(source.size):
        row, given = out[target[e]], x[source[e]]
        if weight.size == 0:
            for h in range(x.shape[1]):
                row[h] += given[h]
        else:
            for h in range(x.shape[1]):
                row[h] += weight[e] * given[h]


@kernel
def restarting_step(indptr, indices, x, step, anchor, restart, out):  # type: ignore[no-untyped-def]
    """out = step ∘ ((A + I) x) + restart · anchor; `out` must not be `x`."""
    for i in range(indptr.size - 1):
        first, last, row = np.int64(indptr[i]), np.int64(indptr[i + 1]), np.int64(i)
        sum_rows_restarting(x, indices, first, last, row, step[i], out, row, anchor, restart)


@kernel
def add_bias(x, bias, rectify):  # type: ignore[no-untyped-def]
    """x += bias, then max(x, 0) if `rectify`; in place."""
    for i in range(x.shape[0]):
        for h in range(x.shape[1]):
            value = x[i, h] + bias[h]
            # Written so that NaN stays NaN and is seen when votes are cast.
            x[i, h] = np.float32(0) if rectify and value < 0 else value


@reducing_kernel
def dense(x, transposed, out):  # type: ignore[no-untyped-def]
    """out (N, K) = x (N, H) @ transposed.T for a weight stored as (K, H): one contiguous dot product per entry.

    `out` may have more columns; they stay as they are (zero, where sums over rows need the padding).
    """
    for i in range(x.shape[0]):
        for k in range(transposed.shape[0]):
            total = np.float32(0)
            for h in range(x.shape[1]):
                total += x[i, h] * transposed[k, h]
            out[i, k] = total


@reducing_kernel
def attention_scores(x, heads, receiver, sender, to, of):  # type: ignore[no-untyped-def]
    """Scores by head: to[i, a] = ⟨x[i, head a], receiver[a]⟩, of[i, a] = ⟨x[i, head a], sender[a]⟩ for x (N, heads · F)."""
    size = receiver.shape[1]
    for i in range(x.shape[0]):
        for a in range(heads):
            one, two = np.float32(0), np.float32(0)
            for f in range(size):
                value = x[i, a * size + f]
                one += value * receiver[a, f]
                two += value * sender[a, f]
            to[i, a] = one
            of[i, a] = two


@kernel
def attend(indptr, indices, x, heads, to, of, slope, out):  # type: ignore[no-untyped-def]
    """Attention over neighbours and self (Veličković et al. 2018), softmax of LeakyReLU(to[i] + of[j]) per head.

    x and out are (N, heads · F), to and of (N, heads); `out` must not be `x`.
    """
    size = x.shape[1] // heads
    top = np.empty(heads, np.float32)
    total = np.empty(heads, np.float32)
    for i in range(indptr.size - 1):
        begin, end = indptr[i], indptr[i + 1]
        for a in range(heads):
            top[a] = leaky(to[i, a] + of[i, a], slope)
            total[a] = np.float32(0)
        for at in range(begin, end):
            j = np.uint64(indices[at])
            for a in range(heads):
                top[a] = max(top[a], leaky(to[i, a] + of[j, a], slope))
        row = out[i]
        for h in range(x.shape[1]):
            row[h] = np.float32(0)
        for at in range(begin, end + 1):
            j = np.uint64(indices[at]) if at < end else np.uint64(i)
            for a in range(heads):
                share = np.exp(leaky(to[i, a] + of[j, a], slope) - top[a])
                total[a] += share
                for f in range(a * size, (a + 1) * size):
                    row[f] += share * x[j, f]
        for a in range(heads):
            for f in range(a * size, (a + 1) * size):
                row[f] /= total[a]


@reducing_kernel
def attend_pairs(indptr, indices, sent, received, weight, slope, out):  # type: ignore[no-untyped-def]
    """Attention over neighbours and self (Brody et al. 2022), softmax of ⟨weight[a], LeakyReLU(received[i] + sent[j])⟩.

    sent, received and out are (N, heads · F), weight (heads, F); the rows of `sent` are added up, so `out` must not be it.
    """
    heads, size = weight.shape
    longest = 0
    for i in range(indptr.size - 1):
        longest = max(longest, indptr[i + 1] - indptr[i])
    scores = np.empty((longest + 1, heads), np.float32)
    for i in range(indptr.size - 1):
        begin, end = indptr[i], indptr[i + 1]
        for at in range(begin, end + 1):
            j = np.uint64(indices[at]) if at < end else np.uint64(i)
            for a in range(heads):
                score = np.float32(0)
                for f in range(size):
                    score += weight[a, f] * leaky(received[i, a * size + f] + sent[j, a * size + f], slope)
                scores[at - begin, a] = score
        row = out[i]
        for h in range(heads * size):
            row[h] = np.float32(0)
        for a in range(heads):
            top, total = scores[0, a], np.float32(0)
            for at in range(1, end + 1 - begin):
                top = max(top, scores[at, a])
            for at in range(end + 1 - begin):
                j = np.uint64(indices[begin + at]) if begin + at < end else np.uint64(i)
                share = np.exp(scores[at, a] - top)
                total += share
                for f in range(a * size, (a + 1) * size):
                    row[f] += share * sent[j, f]
            for f in range(a * size, (a + 1) * size):
                row[f] /= total


@kernel
def leaky(value, slope):  # type: ignore[no-untyped-def]
    """LeakyReLU."""
    return value if value > 0 else slope * value


@kernel
def exponential_linear(x):  # type: ignore[no-untyped-def]
    """ELU in place."""
    for i in range(x.shape[0]):
        for h in range(x.shape[1]):
            if x[i, h] < 0:
                x[i, h] = np.expm1(x[i, h])
