"""Many pictures: which they are, and how they are worked on together."""
