"""An independent slow path that checks what a run claims; it shares no code with what made the claims."""

from graphcert.verification.findings import Finding, Findings

__all__ = ["Finding", "Findings"]
