"""What every room stands on: arguments, files, archives, checksummed arrays, compiled kernels."""
