"""What the folder of a run over a graph keeps: settings, the graph they name, clusters and votes."""

from dataclasses import dataclass

from torch_geometric.data import Data

from graphcert.core.reading import read_json
from graphcert.data import data_fingerprint, load_dataset, partition_graph
from graphcert.errors import DataError, InputError, VotesError
from graphcert.noise import Partition, Scheme
from graphcert.run.certified import Voted
from graphcert.run.folder import RunFolder
from graphcert.run.settings.graph_run import RunConfig
from graphcert.votes import Votes

CONFIG, PARTITION, VOTES = "config.toml", "partition.json", "votes/votes.npz"


@dataclass(kw_only=True)
class GraphFolder(RunFolder):
    """The folder of a run over the nodes of a graph.

    Attributes:
        data_root: folder of data files, if not the usual places.
        batch_size: of voting; results do not depend on it.
    """

    data_root: str | None = None
    batch_size: int | None = None

    def load_config(self) -> RunConfig:
        """The settings of this run."""
        return RunConfig.load(self.path(CONFIG))

    def load_data(self, config: RunConfig) -> Data:
        """The graph of this run, split."""
        return load_dataset(config.dataset.name, self.data_root, seed=config.seed, **config.dataset.options)

    def smoothing(self, config: RunConfig) -> Scheme:
        """The frozen scheme of this run, over the partition that the model was trained with."""
        if config.smoothing.clusters == 1:
            return config.smoothing.scheme(None)
        path = self.path(PARTITION)
        try:
            stored = read_json(path, "the partition of a run", "train this run again")
            return config.smoothing.scheme(Partition.from_dict(stored))
        except FileNotFoundError:
            raise DataError(f"there is no {path}; train this run with `graphcert train`") from None
        except InputError as error:
            raise DataError(f"{path} does not hold this run's partition: {error}") from None

    def partition(self, config: RunConfig, data: Data) -> Partition | None:
        """The clusters of a localized scheme: the stored ones, or new ones of the clean graph."""
        noise = config.smoothing
        if noise.clusters == 1:
            return None
        if self.path(PARTITION).is_file():
            return self.smoothing(config).partition
        return partition_graph(data, noise.clusters, noise.partition, config.seed, affinity=noise.affinity)

    def refuse_another_model(self, config: RunConfig) -> None:
        """Raise `InputError` if the folder holds a run with settings of another model."""
        if self.path(CONFIG).is_file():
            differences = config.differences(self.load_config())
            if differences:
                raise InputError(
                    f"{self.folder} holds a run with {'; '.join(differences[:3])}; choose another --out or delete it"
                )

    def voted(self, config: RunConfig) -> Voted:
        """The stored votes with the graph they were taken on."""
        data, path = self.load_data(config), self.path(VOTES)
        votes = Votes.load(path, self.smoothing(config))
        if votes.manifest.get("data") != data_fingerprint(data):
            raise VotesError(f"{path} was taken on another graph than {config.dataset.name} is now; sample again")
        if votes.manifest.get("seed") != config.seed:
            raise VotesError(f"{path} has another seed than {self.path(CONFIG)}; sample again")
        return Voted(data, votes)
