"""The report of certified segmentations: pictures beside pictures, and what holds under which change of the image."""
