"""Memory is counted where it is, once, whoever holds it; and amounts are numbers of any kind."""

import numpy as np
import pytest
import torch

from graphcert.core.memory import memory_bytes
from graphcert.sampling.simd.row_sums import aligned
from graphcert.voting.footprint import arrays_in


def test_a_tensor_over_a_part_of_an_array_is_counted_with_it():
    whole, line = np.zeros(1000), aligned(100, 16)
    held = [torch.from_numpy(whole[100:300]), torch.from_numpy(whole[800:]), whole, torch.from_numpy(line), line]
    for given in (held, held[::-1]):
        assert sorted(arrays_in(given).values()) == sorted([8000, line.base.nbytes])


def test_neighbours_in_memory_stay_apart():
    whole = torch.zeros(100).untyped_storage()
    start = whole.data_ptr()
    assert arrays_in(torch.zeros(0).set_(whole)) == {start: 400}
    assert sum(arrays_in([torch.zeros(25) for _ in range(8)]).values()) == 800


def test_a_closure_is_looked_into_whatever_it_is_called():
    class emptied(np.ndarray):
        pass

    hidden = np.zeros(50).view(emptied)

    def empty():
        return hidden

    def waits():
        return later

    assert list(arrays_in(empty, waits).values()) == [400]
    later = hidden


@pytest.mark.parametrize("number", [np.int64(4096), np.uint8(200), np.array(7)])
def test_whole_numbers_of_numpy_are_bytes(number):
    assert memory_bytes("memory", number) == int(number)
