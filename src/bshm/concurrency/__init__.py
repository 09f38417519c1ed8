"""Threads: bounded, in order, and such that may be given up."""
