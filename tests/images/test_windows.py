"""Windows show what their members can see, and begin where layers that merge pixels do."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from graphcert.images.image_path import Window


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 5), st.integers(1, 4), st.data())
def test_a_window_holds_all_that_is_within_reach(height, width, reach, stride, data):
    members = np.array(sorted(data.draw(st.sets(st.integers(0, height * width - 1), min_size=1, max_size=4))))
    window = Window.around(members, height, width, reach, stride)
    node = np.arange(height * width).reshape(height, width)
    row, column = np.divmod(members, width)
    needed = node[
        max(0, row.min() - reach) : row.max() + reach + 1, max(0, column.min() - reach) : column.max() + reach + 1
    ]
    shown = node[window.outer]
    assert np.isin(needed, shown).all()
    assert shown.shape == window.shape
    assert np.array_equal(shown.ravel()[window.inside], members)
    for part, size in zip(window.outer, (height, width), strict=True):
        assert part.start % stride == 0
        assert part.stop == size or part.stop % stride == 0
    # Not larger than it has to be.
    assert window.shape[0] <= np.ptp(row) + 1 + 2 * reach + 2 * (stride - 1)


def test_without_a_reach_the_window_is_the_image():
    assert Window.around(np.array([3]), 2, 4).shape == (2, 4)
    everything = Window.around(np.arange(8), 2, 4)
    assert np.array_equal(everything.inside, everything.members)
    assert Window.around(np.array([5]), 2, 4).inside.tolist() == [5]
    assert Window.around(np.array([5]), 2, 4, reach=0).inside.tolist() == [0]
