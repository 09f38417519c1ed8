"""Threads: bounded, in order, and with time limits."""
