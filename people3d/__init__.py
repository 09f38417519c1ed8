"""People drawn with exact alpha, as fine training data: ``python -m people3d`` (README.md)."""
