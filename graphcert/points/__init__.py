"""Point clouds: points are nodes, parts are their labels, and a model builds its neighbourhoods from noisy coordinates."""

from graphcert.points.cloud import PointCloud, point_cells
from graphcert.points.files import LoadedPoints, load_points, read_hdf5, read_shapenet_part
from graphcert.points.networks import NETWORKS, EdgeConvParts, PointNetParts
from graphcert.points.point_model import PointModel
from graphcert.points.point_votes import sample_point_votes
from graphcert.points.segmenter import PointSegmenter
from graphcert.points.shapes import KINDS, PARTS, generated_shapes
from graphcert.points.training import PointTraining, train_points

__all__ = [
    "KINDS", "NETWORKS", "PARTS", "EdgeConvParts", "LoadedPoints", "PointCloud", "PointModel", "PointNetParts",
    "PointSegmenter", "PointTraining", "generated_shapes", "load_points", "point_cells", "read_hdf5", "read_shapenet_part",
    "sample_point_votes", "train_points",
]  # fmt: skip
