"""Many pictures: finding them, and processing them together."""
