"""What `certify`, `certify_scores` and `predict` ask of their arguments."""

import warnings
from hashlib import sha256
from typing import Any

import numpy as np

from graphcert.errors import InputError, RepeatedClaimsWarning
from graphcert.votes import Votes


def check_votes(votes: Any, function: str) -> None:
    """Raise `InputError` unless it is `Votes`, with the two lines that lead from a model to a certificate."""
    if not isinstance(votes, Votes):
        raise InputError(
            f"{function} takes Votes, got {type(votes).__name__}; take them first, votes = gc.sample_votes(model, data, "
            f"smoothing, samples), and then gc.{function}(votes)"
        )


def note_claims(votes: Votes, alpha: float, *claims: Any) -> None:
    """Remember which claims were made from these votes, and warn when others are: their error rates add up (section 10).

    Args:
        votes: the votes; what is remembered belongs to this object, so that equal votes, or votes loaded again, know nothing
            of it.
        alpha: error rate of the new claims.
        claims: what makes them other claims: the function and its arguments. The same claims again cost nothing.
    """
    key = (alpha, *(sha256(part.tobytes()).hexdigest() if isinstance(part, np.ndarray) else part for part in claims))
    made = votes._claims_made
    if made and key not in made:
        total = min(sum(each[0] for each in made) + alpha, 1.0)
        warnings.warn(
            f"other claims were made from the same votes, and the error rates of several certificates add up, here to "
            f"alpha = {total:g} for all of them together; decide on one before looking at any, or divide alpha among them",
            RepeatedClaimsWarning,
            stacklevel=3,
        )
    made.add(key)
