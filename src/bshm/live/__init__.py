"""A live background: camera in, the people of each frame over something else, out to where a call looks for a camera.

    camera -> matte -> composite -> sink

The camera and the networks each run in a thread of their own and hand on their newest frame alone; the sink is fed at a
steady rate.  A frame waits for its own matte, so that the two are never apart.
"""
