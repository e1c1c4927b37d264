"""Certificates: from votes to statements about every perturbation within a budget."""

from graphcert.certificates.attack_allocation import Attack
from graphcert.certificates.budget_grid import BudgetGrid
from graphcert.certificates.claims import Claims
from graphcert.certificates.confidence_bounds import BOUNDS
from graphcert.certificates.elastic import ElasticCertificate, certify_elastic
from graphcert.certificates.method_hierarchy import MethodComparison
from graphcert.certificates.predict import Prediction, predict
from graphcert.certificates.score_certificate import ScoreCertificate, certify_scores
from graphcert.certificates.segmentation import SegmentationCertificate, seg_certify
from graphcert.certificates.until import Until
from graphcert.certificates.vote_certificate import METHODS, Certificate, certify

__all__ = [
    "BOUNDS",
    "METHODS",
    "Attack",
    "BudgetGrid",
    "Certificate",
    "Claims",
    "ElasticCertificate",
    "MethodComparison",
    "Prediction",
    "ScoreCertificate",
    "SegmentationCertificate",
    "Until",
    "certify",
    "certify_elastic",
    "certify_scores",
    "predict",
    "seg_certify",
]
