"""What goes over the network: every URL passes one guard."""
