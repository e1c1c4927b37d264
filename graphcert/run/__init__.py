"""Runs: folders in which nodes of a graph or images are certified, stage by stage, under settings of one tree."""
