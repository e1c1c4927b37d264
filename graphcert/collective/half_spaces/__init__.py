"""Half-spaces: which weighted sums of changes each output survives, for flips, norms and receptive fields."""
