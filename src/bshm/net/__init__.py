"""Network access: every URL is checked by one guard."""
