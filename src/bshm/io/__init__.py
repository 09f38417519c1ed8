"""Pictures in and out: ``source`` and ``fetch`` bring bytes, ``decode`` reads them, ``encode`` and ``sink`` write."""
