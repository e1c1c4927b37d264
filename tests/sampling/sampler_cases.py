"""Small graphs that touch every corner of the sampler, and ways to read its samples."""

import numpy as np
from scipy import sparse

from graphcert.noise import Smoothing
from graphcert.sampling.sampler import CSR, Sampler

WIDTH = 70
NODES = 70
"""More than two strips of 32 rows, and a row (or strip) of ones that does not fit in one word of 64 lanes."""


def csr(matrix):
    return CSR.of(sparse.csr_array(np.asarray(matrix, np.int8)))


def feature_matrix():
    """(6, 70) bits: an empty row, a full one, one of exactly 64 ones, one of 65, and two random ones."""
    generator = np.random.default_rng(1)
    x = np.zeros((6, WIDTH), bool)
    x[1] = True
    x[2, :64] = True
    x[3, 5:] = True
    x[4:] = generator.random((2, WIDTH)) < 0.2
    return x


def upper_adjacency(nodes=NODES, degree=6.0):
    """(N, N) strictly upper triangle of a random graph; its first strip of rows has more than 64 edges."""
    generator = np.random.default_rng(2)
    return np.triu(generator.random((nodes, nodes)) < degree / max(1, nodes - 1), 1)


def make_sampler(x, upper, features=None, edges=None, seed=0):
    return Sampler(csr(x), x.shape[1], csr(upper), Smoothing(features, edges), seed)


def rows_of(ones):
    """CSR positions → one list per row, in the order in which they are stored."""
    return [ones.indices[a:b].tolist() for a, b in zip(ones.indptr[:-1], ones.indptr[1:], strict=True)]


def row_sets(ones):
    """CSR positions → one set per row; no position may come twice."""
    rows = rows_of(ones)
    assert all(len(set(row)) == len(row) for row in rows)
    return [set(row) for row in rows]


def edge_set(graph):
    """A CSR adjacency → the pairs i < j; it must be symmetric, simple and without loops."""
    pairs = [(i, j) for i, row in enumerate(row_sets(graph)) for j in row]
    assert {(j, i) for i, j in pairs} == set(pairs)
    assert all(i != j for i, j in pairs)
    return {(i, j) for i, j in pairs if i < j}


def pairs_of(upper):
    return {(int(i), int(j)) for i, j in np.argwhere(upper)}
