"""One file a face of the service.  Routes never import each other: what they share lies in ``bshm.server``."""
