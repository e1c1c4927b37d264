"""The exceptions and warnings of graphcert: two small trees, so that a caller can catch all of one or one branch.

Every message is one sentence that says what is wrong and how to put it right; the command line prints that of an exception
and exits with 2.
"""


class GraphcertError(Exception):
    """Base of every error that graphcert raises on purpose.

    A message may repeat what a file says: characters that break lines, or that a terminal would act on, are shown as �.
    """

    def __str__(self) -> str:
        return "".join(character if character.isprintable() else "�" for character in super().__str__())


class InputError(GraphcertError, ValueError):
    """An argument is outside its domain (a probability above 1, a negative budget, an unknown name)."""


class DataError(GraphcertError):
    """A data set or file is missing, damaged, of the wrong kind, or not what its checksum says."""


class ModelError(GraphcertError):
    """A model cannot be smoothed as it is (cached normalisation, NaN logits, not deterministic, wrong class count)."""


class VotesError(GraphcertError):
    """Votes are inconsistent with themselves or with the smoothing they claim to come from."""


class UnsupportedError(GraphcertError):
    """A combination that is sound in principle but not offered; the message names what is."""


class GraphcertWarning(UserWarning):
    """Base of every warning: the answer that follows is sound, but perhaps not the one that was meant."""


class OutOfReachWarning(GraphcertWarning):
    """Even unanimous votes of so few samples prove nothing against the budget; the message says how many would do."""


class RepeatedClaimsWarning(GraphcertWarning):
    """Several certificates were made from the same votes; their error rates add up."""
