"""The report of certified clouds of points: views from two sides, and what holds under which change of the cloud."""
