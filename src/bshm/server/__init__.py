"""The HTTP service: `bshm serve`.

request -> middleware (id, host, key, size) -> route -> intake (multipart, JSON) -> service (rate, cache, single flight)
        -> engine -> answer

Each line imports those below it alone; the whole order stands in pyproject.toml, where `make check` holds it.

run.py          the process: sockets, signals, the log
app.py          the parts put together
middleware.py   what every request passes, whatever its route
routes/         one file a face: matte, removebg, rembg, jobs, videos, models, operation (health, metrics, the docs)
pictures.py, job_pictures.py    pictures out of requests, for the routes
job_requests.py what the routes of jobs and videos share;  ranges.py  a file, or a part of it
service.py      what routes share: from an order to its answer
job_queue.py    the queue of jobs that the settings name
engine.py       networks held open; decode and encode beside the event loop; never more pictures than fit
fields.py       what may be said beside a picture;  video_fields.py  beside a clip;  intake.py  bodies
cache.py        results kept by what they are made of
limiter.py, rates.py, keys.py   how many, how much, who
answers.py, statuses.py         errors as bodies; error -> HTTP status, in one table
settings.py     every setting, once: flag, environment, file
"""
