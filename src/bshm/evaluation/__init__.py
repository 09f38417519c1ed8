"""How good a matte is: metrics, folders of pictures with their alpha, and reports that compare models."""
