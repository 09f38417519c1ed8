"""The weights: cards with their facts, the catalogue of all models, and the store of verified files."""
