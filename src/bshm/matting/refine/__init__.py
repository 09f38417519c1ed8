"""From a mask that says where people are to an alpha that says how much."""
