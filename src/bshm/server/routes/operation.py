"""Is it alive, is it ready, how is it doing: ``/healthz``, ``/readyz``, ``/metrics``; and the page of the API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse

from bshm._version import __version__
from bshm.server.security_headers import page_csp
from bshm.server.service import Service

router = APIRouter(tags=["operation"])

# Swagger UI sets styles of elements and has its icons as data URLs; scripts come from here alone.
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
# What does not hold, for whoever may ask: addresses and paths of this machine are for the log.
_REASONS = {
    "model": "The model is not open yet.",
    "accepting": "The service stops.",
    "room": "It has as many requests as it may.",
    "keys": "The file of the API keys cannot be read; the log says why.",
    "jobs": "The store of the jobs does not answer; the log says why.",
}
# A copy of two files of swagger-ui-dist, with its licence; its version is in NOTICE.
_SWAGGER_UI = Path(__file__).parents[1] / "swagger_ui"
_DOCS_FILES = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}


@router.get("/healthz", summary="Is it alive?", responses={200: {"description": "It is."}})
async def healthz() -> dict[str, str]:
    """Answers as long as the process serves requests at all."""
    return {"status": "ok", "version": __version__}


@router.get(
    "/readyz",
    summary="Is it ready for pictures?",
    responses={200: {"description": "It is."}, 503: {"description": "Not yet, not any more, or not now."}},
)
async def readyz(request: Request, response: Response) -> dict[str, Any]:
    """Whether the model is open, there is room for another request and jobs can be kept: what a load balancer asks."""
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


@router.get("/metrics", summary="Figures for Prometheus", response_class=Response)
async def metrics(request: Request) -> Response:
    """Requests by route and status, queue depth, stage times, cache hits, errors."""
    service: Service = request.app.state.service
    return Response(await service.pool.beside(service.metrics.text), media_type=service.metrics.content_type)


@router.get("/docs", include_in_schema=False)
async def docs() -> Response:
    """The API as a page; everything on it comes from here."""
    return Response(_DOCS_PAGE, media_type="text/html", headers={"Content-Security-Policy": _DOCS_CSP})


@router.get("/docs/start.js", include_in_schema=False)
async def docs_start() -> Response:
    """Starts the page: a script of its own, since the policy forbids scripts within it."""
    return Response(_DOCS_START, media_type="text/javascript")


@router.get("/docs/{name}", include_in_schema=False)
async def docs_file(name: str) -> Response:
    """Swagger UI."""
    if name not in _DOCS_FILES:
        return Response(status_code=404)
    headers = {"Cache-Control": "public, max-age=86400"}
    return FileResponse(_SWAGGER_UI / name, media_type=_DOCS_FILES[name], headers=headers)
