"""What the files of a run say about the nodes of its graph: read, checked against each other, and never written."""

from graphcert.attacks.record import AttackRecord, rule_of
from graphcert.core.reading import PER_CHARACTER, damage_refused, read_bytes
from graphcert.errors import DataError
from graphcert.report import ReportContent, render
from graphcert.run.certified import CERTIFICATE, Certified, certificate_text, certify_votes, compare_with_file
from graphcert.run.collective_results import Collective
from graphcert.run.folder import REPORT, GraphFolder
from graphcert.run.provenance import cluster_links, drawn_graph, settings_table

COLLECTIVE, COLLECTIVE_TABLE, ATTACKS = "collective.json", "collective.csv", "attacks.csv"
ATTACK, ATTACK_TABLE = "attack.json", "attack.csv"
CHANGED = "changed_code"
"""Where manifest.json says that code which made the model has changed since."""


class StoredRun(GraphFolder):
    """A run over the nodes of a graph, as its folder has it."""

    def certified(self) -> Certified:
        """What certifying made, made again from the stored votes; certificate.json must have been made from these."""
        config = self.load_config()
        if not self.path(CERTIFICATE).is_file():
            raise DataError(f"there is no {self.path(CERTIFICATE)}; run `graphcert certify {self.folder}` first")
        found = certify_votes(self.voted(config), config.certificate)
        warnings = compare_with_file(self.path(CERTIFICATE), found, self.manifest())
        for sentence in warnings:
            self.log.warning(sentence)
        return found._replace(warnings=warnings)

    def content(self, certified: Certified | None = None, collective: Collective | None = None) -> ReportContent:
        """What the report shows, from the files of the run and its graph alone; what is None is read."""
        config = self.load_config()
        certified = self.certified() if certified is None else certified
        collective, warnings = (collective, ()) if collective is not None else self._stored_collective(certified)
        certificate, manifest, model = certified.certificate, self.manifest(), config.model
        of_claims = certified.votes.digest, certificate.alpha, certificate.claims, rule_of(certificate)
        attacks, stale = AttackRecord.read(self.path(ATTACK), *of_claims)
        title = model.title.upper() if model.factory is None else model.title
        changed = *self.after_votes(config, certified.votes), *self.sentences(CHANGED)
        return ReportContent(
            title=f"{title} on {config.dataset.name}", certificate=certificate,
            votes=certified.votes, truth=certified.data.y.numpy(), grids=certified.grids,
            settings=settings_table(config, manifest, certified), timings=manifest.get("timings", {}),
            warnings=(*certified.warnings, *warnings, *stale, *changed, *self.spent()),
            collective=collective.comparisons, attacks=attacks,
            isotropic=collective.isotropic, mean_score=collective.mean_score, scores=certified.scores,
            links=cluster_links(certified.votes.smoothing, certified.data),
            injected=collective.injected(certificate, certified.data),
            graph=drawn_graph(certificate.smoothing, certified.data),
        )  # fmt: skip

    def rebuilt(self) -> dict[str, bytes]:
        """The files that show results, by name, made again from those that they rest on; nothing is written.

        These are certificate.json, report.html and, with collective certificates, their tables. As long as nobody touched
        the run, the files have these very bytes.
        """
        certified, claims = self.certified(), self.load_config().certificate
        collective, _ = self._stored_collective(certified)
        texts = {CERTIFICATE: certificate_text(certified, claims), REPORT: render(self.content(certified))}
        if collective.comparisons:
            attacks = collective.attacks(certified.certificate)
            texts |= {COLLECTIVE_TABLE: collective.table()} | ({} if attacks is None else {ATTACKS: attacks})
        return {name: text.encode() for name, text in texts.items()}

    def _stored_collective(self, certified: Certified) -> tuple[Collective, tuple[str, ...]]:
        """The stored collective certificates, if they are of these very claims, and what to say if not."""
        path, certificate = self.path(COLLECTIVE), certified.certificate
        if not path.is_file():
            return Collective(), ()
        with damage_refused(f"{path} cannot be read", "run `graphcert collective` again"):
            text = read_bytes(path, PER_CHARACTER).decode()
        found = Collective.from_json(text, certified.votes.digest, certificate.alpha, certificate.claims)
        if found is not None:
            return found, ()
        return Collective(), (f"{path.name} belongs to other claims; run `graphcert collective` again.",)
