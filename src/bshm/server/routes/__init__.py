"""One file per interface of the service.  Routes never import each other: shared code is in ``bshm.server``."""
