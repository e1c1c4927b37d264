"""The innermost loop of every sparse product with a 0/1 matrix: add up rows of a table."""

import numpy as np

from graphcert.kernel import kernel


@kernel
def sum_rows(table, rows, begin, end, out):  # type: ignore[no-untyped-def]
    """out (H,) = the sum of the rows rows[begin] … rows[end − 1] of `table` (R, H), always in the same order.

    Eight rows a turn keep the running sum out of the memory traffic, which is what limits this loop.
    """
    width = table.shape[1]
    for h in range(width):
        out[h] = np.float32(0)
    i = begin
    while i + 8 <= end:
        a, b = table[np.uint64(rows[i])], table[np.uint64(rows[i + 1])]
        c, d = table[np.uint64(rows[i + 2])], table[np.uint64(rows[i + 3])]
        e, f = table[np.uint64(rows[i + 4])], table[np.uint64(rows[i + 5])]
        g, k = table[np.uint64(rows[i + 6])], table[np.uint64(rows[i + 7])]
        for h in range(width):
            out[h] += ((a[h] + b[h]) + (c[h] + d[h])) + ((e[h] + f[h]) + (g[h] + k[h]))
        i += 8
    while i < end:
        a = table[np.uint64(rows[i])]
        for h in range(width):
            out[h] += a[h]
        i += 1
