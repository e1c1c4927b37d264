"""Vector operations that a compiler does not find in plain loops, written in its own portable terms (LLVM)."""
