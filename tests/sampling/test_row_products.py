"""Matrix products of which a row does not depend on the others."""

import numpy as np
import pytest

from graphcert.core.compiled import kernel
from graphcert.sampling.simd.row_products import ROWS, product_of_rows, row_products
from graphcert.sampling.simd.row_sums import aligned


def filled(generator, *shape):
    array = aligned(*shape)
    array[...] = generator.normal(size=shape)
    return array


@pytest.mark.parametrize(
    ("depth", "length", "columns"), [(1, 1, 16), (7, 16, 16), (64, 64, 48), (33, 35, 80), (300, 300, 128)]
)
def test_rows_come_out_the_same_in_any_company(depth, length, columns):
    generator = np.random.default_rng(depth)
    x, matrix, bias = filled(generator, 50, length), filled(generator, depth, columns), filled(generator, columns)
    whole = aligned(50, columns)
    row_products(x, matrix, depth, bias, whole)
    exact = x[:, :depth].astype(np.float64) @ matrix + bias
    np.testing.assert_allclose(whole, exact, rtol=0, atol=1e-5 * np.abs(exact).max())
    for count in (1, ROWS - 1, ROWS, 2 * ROWS + 1, 50):
        some, part = generator.permutation(50)[:count], aligned(50, columns)
        row_products(x[some], matrix, depth, bias, part)
        assert np.array_equal(part[:count], whole[some])
        assert not part[count:].any()


def test_machines_with_few_registers_add_in_the_same_order():
    generator = np.random.default_rng(0)
    x, matrix, bias = filled(generator, 3, 40), filled(generator, 40, 80), filled(generator, 80)
    expected = aligned(3, 80)
    row_products(x, matrix, 40, bias, expected)
    for many in (True, False):
        three, found = product_of_rows(3, many), aligned(3, 80)

        @kernel
        def product(x, matrix, bias, out, three=three):
            three(x, np.int64(0), matrix, np.int64(40), bias, out)

        product(x, matrix, bias, found)
        assert np.array_equal(found, expected)
