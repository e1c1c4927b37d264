"""The experiments of the papers: `graphcert experiment run NAME`."""
