"""Certificates: from votes to statements about every perturbation within a budget."""

from graphcert.certificates.attack import Attack
from graphcert.certificates.certificate import Certificate
from graphcert.certificates.certify import METHODS, certify
from graphcert.certificates.certify_scores import certify_scores
from graphcert.certificates.claims import Claims
from graphcert.certificates.grid import BudgetGrid
from graphcert.certificates.predict import Prediction, predict
from graphcert.certificates.score_bounds import BOUNDS
from graphcert.certificates.score_certificate import ScoreCertificate
from graphcert.certificates.segmentation import SegmentationCertificate, seg_certify

__all__ = [
    "BOUNDS",
    "METHODS",
    "Attack",
    "BudgetGrid",
    "Certificate",
    "Claims",
    "Prediction",
    "ScoreCertificate",
    "SegmentationCertificate",
    "certify",
    "certify_scores",
    "predict",
    "seg_certify",
]
