"""What all reports share: the page, its colours, and numbers as words."""
