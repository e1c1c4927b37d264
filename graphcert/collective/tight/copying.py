"""Copies inside compiled code. Assigning whole slices compiles for seconds, because of the errors it might have to word."""

from graphcert.core.compiled import kernel


@kernel
def copy_into(target, source):  # type: ignore[no-untyped-def]
    """target[k] = source[k] for one-dimensional arrays of one length."""
    for k in range(source.size):
        target[k] = source[k]
