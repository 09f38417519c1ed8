"""What is made of a matte: background, crop, shadow, file."""
