"""Import weights: what a file is, how to convert it, whether it computes the same, and the model store.

TensorFlow runs in a process of its own (``tensorflow_worker.py``), never in the one that cuts people out.
"""
