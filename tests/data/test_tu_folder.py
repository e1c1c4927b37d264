"""Folders of graphs as the TU collection has them: read whole, or refused in one sentence."""

from pathlib import Path

import numpy as np
import pytest

from graphcert.data.tu_folder import read_tu_folder
from graphcert.errors import DataError

FILES = {
    "A": "1, 2\n2, 1\n2, 3\n4, 5\n5, 4\n4, 4\n", "graph_indicator": "1\n1\n1\n2\n2\n3\n", "graph_labels": "1\n-1\n1\n",
    "node_labels": "0\n2\n2\n0\n0\n7\n",
}  # fmt: skip


def folder(path: Path, **files: str | None) -> Path:
    """The files of a small set, some of them others, or missing."""
    for part, text in {**FILES, **files}.items():
        if text is not None:
            (path / f"TOY_{part}.txt").write_text(text)
    return path


def test_graphs_labels_and_features_are_read(tmp_path: Path) -> None:
    found = read_tu_folder(folder(tmp_path))
    assert found.names == ("-1", "1")
    assert found.labels.tolist() == [1, 0, 1]
    assert [one.num_nodes for one in found.graphs] == [3, 2, 1]
    assert found.graphs[0].edge_index.tolist() == [[0, 1, 1, 2], [1, 0, 2, 1]], "both directions, numbered from 0"
    assert found.graphs[1].edge_index.tolist() == [[0, 1], [1, 0]], "without loops"
    assert found.graphs[2].edge_index.shape == (2, 0)
    np.testing.assert_array_equal(found.graphs[0].x, [[1, 0, 0], [0, 1, 0], [0, 1, 0]])


def test_attributes_stand_before_labels_and_without_both_there_is_a_one(tmp_path: Path) -> None:
    lines = "".join(f"{k}.5, -1\n" for k in range(6))
    both = read_tu_folder(folder(tmp_path, node_attributes=lines))
    np.testing.assert_array_equal(both.graphs[1].x, [[3.5, -1, 1, 0, 0], [4.5, -1, 1, 0, 0]])
    (tmp_path / "TOY_node_labels.txt").unlink()
    (tmp_path / "TOY_node_attributes.txt").unlink()
    np.testing.assert_array_equal(read_tu_folder(tmp_path).graphs[0].x, [[1]] * 3)


WRONG: dict[str, dict[str, str | None]] = {
    "no indicator": {"graph_indicator": None}, "no labels": {"graph_labels": None}, "no edges": {"A": None},
    "an edge out of range": {"A": "1, 7\n"}, "an edge to node 0": {"A": "0, 1\n"}, "an edge between graphs": {"A": "3, 4\n"},
    "a graph without nodes": {"graph_indicator": "1\n1\n1\n2\n2\n2\n"},
    "graphs out of order": {"graph_indicator": "2\n1\n1\n2\n2\n3\n"},
    "graphs from 0": {"graph_indicator": "0\n0\n0\n1\n1\n2\n"}, "one class": {"graph_labels": "1\n1\n1\n"},
    "too few node labels": {"node_labels": "0\n1\n"}, "too many columns": {"A": "1, 2, 3\n"}, "words": {"A": "one, two\n"},
    "a fraction": {"graph_labels": "1.5\n2\n3\n"}, "not a number": {"node_attributes": "nan\n" * 6},
    "beyond float32": {"node_attributes": "1e300\n" * 6}, "rows of other lengths": {"node_attributes": "1\n1, 2\n" * 3},
    "other than ASCII": {"graph_labels": "１\n2\n3\n"}, "a number without end": {"graph_labels": "9" * 5000 + "\n1\n1\n"},
    "beyond 64 bits": {"graph_labels": "9" * 30 + "\n1\n1\n"}, "an empty file": {"graph_labels": ""},
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_files_that_do_not_fit_are_one_sentence(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as refused:
        read_tu_folder(folder(tmp_path, **WRONG[name]))
    assert "\n" not in str(refused.value)
    assert str(tmp_path) in str(refused.value)


def test_two_sets_in_one_folder_are_refused(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / "OTHER_graph_indicator.txt").write_text("1\n")
    with pytest.raises(DataError, match="holds 2 files"):
        read_tu_folder(tmp_path)
