"""Import PyAV, or say what to install; all other modules of this room take ``av`` from here."""

from __future__ import annotations

import os

from bshm.errors import MissingExtraError

# SVT-AV1 writes to stderr what it is set to, past every log; it looks here for what shall be left: errors.
os.environ.setdefault("SVT_LOG", "1")

__all__ = ["EXACT", "av"]

try:
    import av
except ImportError as error:
    raise MissingExtraError("video needs an optional part: pip install 'bshm[video]'.") from error

# FFmpeg's messages are dropped where they arise; what matters is raised.  Any other level calls Python from FFmpeg's
# threads: who closes a clip in the middle waits for those, and they wait for the interpreter, for ever.
av.logging.set_level(None)

# Conversions between YUV and RGB are rounded, not cut off, and every pixel gets a colour of its own: without these
# flags a round trip moves colours by up to four levels.  FFmpeg's SWS_BICUBIC, SWS_FULL_CHR_H_INT, SWS_FULL_CHR_H_INP
# and SWS_ACCURATE_RND; PyAV has names for all of them from 18 on only.
EXACT = 0x4 | 0x2000 | 0x4000 | 0x40000
