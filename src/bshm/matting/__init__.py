"""From a picture to an alpha: the networks, and what happens before and after them."""
