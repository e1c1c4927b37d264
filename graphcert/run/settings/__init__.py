"""Settings of runs, typed and checked: what graphs and images share, what is of graphs and what is of images."""
