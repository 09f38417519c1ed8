"""Backgrounds that a model paints: diffusers, torch and the hub's library are loaded here and nowhere else."""
