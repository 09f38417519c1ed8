"""Results from a matte: background, crop, shadow, file."""
