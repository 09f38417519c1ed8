"""The HTTP service: `bshm serve`.

request -> middleware (id, host, key, size) -> route -> intake (multipart, JSON) -> service (rate, cache, single flight)
        -> engine -> answer

Each line imports only those below it; pyproject.toml has the whole order, and `make check` checks it.

run.py          the process: sockets, signals, the log
app.py          the application, made of the parts below
middleware.py   checks of every request, on any route
routes/         one file per interface: matte, removebg, rembg, jobs, videos, models, presets, live, operation
pictures.py, job_pictures.py    pictures from requests, for the routes
job_requests.py shared by the routes of jobs and videos;  ranges.py  a file, or a part of it
service.py      shared by the routes: from an order to its answer
job_queue.py    the queue of jobs that the settings describe
matting_pool.py loaded networks; decodes and encodes outside the event loop; limits the pictures in memory
fields.py, video_fields.py  fields of a request;  intake.py  request bodies;  cache.py  results of equal requests
limiter.py, rates.py, keys.py   limits of requests, rate limits, API keys
answers.py, statuses.py         errors as response bodies; the HTTP status of each error
settings.py     all settings: flags, environment, file
"""
