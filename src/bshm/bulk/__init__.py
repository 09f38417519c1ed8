"""Many pictures: find them, and process them together."""
