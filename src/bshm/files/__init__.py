"""Read and write pictures: ``source`` gets bytes, ``decode`` reads them, ``encode`` and ``sink`` write."""
