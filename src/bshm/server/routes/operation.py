"""Health and metrics (``/healthz``, ``/readyz``, ``/metrics``), and the page about the API (``/docs``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse

from bshm._version import __version__
from bshm.server.security_headers import page_csp
from bshm.server.service import Service

router = APIRouter(tags=["operation"])

# Swagger UI uses inline styles and icons as data URLs; scripts come only from this service.
_DOCS_CSP = page_csp().replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
_DOCS_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>bshm: HTTP API</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="icon" href="data:,">
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
"""
_DOCS_START = 'SwaggerUIBundle({url: "openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null});\n'
# Reasons without addresses and paths of this machine, which only the log may show.
_REASONS = {
    "model": "The model is not loaded yet.",
    "accepting": "The service is stopping.",
    "room": "The service has reached its limit of requests.",
    "keys": "The file of API keys cannot be read; see the log.",
    "jobs": "The job store does not answer; see the log.",
}
# Two files copied from swagger-ui-dist, with its licence; NOTICE says which version.
_SWAGGER_UI = Path(__file__).parents[1] / "swagger_ui"
_DOCS_FILES = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}


@router.get("/healthz", summary="Check that the process is alive", responses={200: {"description": "It is alive."}})
async def healthz() -> dict[str, str]:
    """Answers as long as the process serves requests."""
    return {"status": "ok", "version": __version__}


@router.get(
    "/readyz",
    summary="Check that the service is ready",
    responses={200: {"description": "It is ready."}, 503: {"description": "It is not ready; `reasons` says why."}},
)
async def readyz(request: Request, response: Response) -> dict[str, Any]:
    """For load balancers: whether the model is loaded, another request has room and the job store answers."""
    service: Service = request.app.state.service
    checks = {
        "model": service.pool.is_ready,
        "keys": service.can_read_keys,
        "accepting": not service.draining,
        "room": len(service.limiter) < service.settings.queue,
        "jobs": service.queue is None or service.queue.is_reached(),
    }
    reasons = [_REASONS[name] for name, holds in checks.items() if not holds]
    response.status_code = 503 if reasons else 200
    return {"status": "not ready" if reasons else "ready", "checks": checks, "reasons": reasons}


@router.get("/metrics", summary="Metrics for Prometheus", response_class=Response)
async def metrics(request: Request) -> Response:
    """Requests by route and status, queue length, time per stage, cache hits and errors."""
    service: Service = request.app.state.service
    return Response(await service.pool.beside(service.metrics.text), media_type=service.metrics.content_type)


@router.get("/docs", include_in_schema=False)
async def docs() -> Response:
    """A page about the API; all of its files come from this service."""
    return Response(_DOCS_PAGE, media_type="text/html", headers={"Content-Security-Policy": _DOCS_CSP})


@router.get("/docs/start.js", include_in_schema=False)
async def docs_start() -> Response:
    """The script that starts the page; the content security policy forbids inline scripts."""
    return Response(_DOCS_START, media_type="text/javascript")


@router.get("/docs/{name}", include_in_schema=False)
async def docs_file(name: str) -> Response:
    """A file of Swagger UI."""
    if name not in _DOCS_FILES:
        return Response(status_code=404)
    headers = {"Cache-Control": "public, max-age=86400"}
    return FileResponse(_SWAGGER_UI / name, media_type=_DOCS_FILES[name], headers=headers)
