"""Certificates: from votes to statements about every perturbation within a budget."""

from graphcert.certificates.certificate import Certificate
from graphcert.certificates.certify import METHODS, certify
from graphcert.certificates.claims import Claims
from graphcert.certificates.grid import BudgetGrid

__all__ = ["METHODS", "BudgetGrid", "Certificate", "Claims", "certify"]
