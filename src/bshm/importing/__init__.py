"""Weights that were made elsewhere: what a file is, how it is converted, whether it still computes the same, the store.

TensorFlow runs in a process of its own (``tensorflow_worker.py``), never in the one that cuts people out.
"""
