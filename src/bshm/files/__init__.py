"""Pictures in and out: ``source`` brings bytes, ``decode`` reads them, ``encode`` and ``sink`` write."""
