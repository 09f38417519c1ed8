"""Measure mattes: metrics, folders of pictures with known alpha, and reports that compare models."""
