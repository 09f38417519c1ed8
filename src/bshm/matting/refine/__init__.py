"""From a mask, which says where people are, to an alpha, which says how much."""
