"""The HTTP service: `bshm serve`.

request -> gate (id, host, key, size) -> intake (multipart, JSON) -> cache | single flight -> engine -> answer

app.py         the parts put together; the only place that knows all of them
settings.py    every setting, once: flag, environment, file
gate.py        what every request passes, whatever its route
statuses.py    error -> HTTP status, in one table
engine.py      networks held open; decode and encode beside the event loop; never more pictures than fit
rendering.py   what is made of a matte
cache.py       results kept by what they are made of
matte.py, removebg.py, jobs.py, health.py   the routes
"""
