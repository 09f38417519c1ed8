"""The weights: what each set is (cards), which there are (catalogue), and files that are what they say (store)."""
