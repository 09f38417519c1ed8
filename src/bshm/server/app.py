"""The application: ``create_app`` for any ASGI server, ``run`` for `bshm serve`."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from bshm._version import __version__
from bshm.errors import BshmError, OptionError
from bshm.server import answers, logs
from bshm.server.matting_pool import Fetch, fetch_url
from bshm.server.middleware import Middleware
from bshm.server.routes import finish, jobs, live, matte, models, operation, presets, rembg, removebg, videos
from bshm.server.security_headers import page_csp
from bshm.server.service import Service
from bshm.server.settings import Settings

STATIC = Path(__file__).parents[1] / "web"

_DESCRIPTION = """\
Human matting: cuts people out of pictures with a true alpha channel, including hair.

Errors are RFC 9457 problem details; below `/v1.0` they have the form of remove.bg. Every answer has an `X-Request-Id`,
which is also in the log.
"""


def create_app(settings: Settings, *, fetch: Fetch = fetch_url) -> FastAPI:
    """The service as an ASGI application.

    Args:
        settings: all settings.
        fetch: replaces the download of URLs; for tests.

    Raises:
        BshmError: a setting cannot be used.
    """
    service = Service(settings, fetch=fetch)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await service.open()
        logs.say(logging.INFO, "ready", model=settings.model, jobs=settings.jobs)
        yield
        await service.close()
        logs.say(logging.INFO, "stopped")

    app = FastAPI(
        title="bshm",
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.service = service
    for module in (matte, finish, removebg, rembg, models, presets, operation):
        app.include_router(module.router)
    if settings.jobs:
        app.include_router(jobs.router)
    app.include_router(videos.router)
    # Not for routes on which GET processes a picture.
    for router in (removebg.router, operation.router, videos.router, *([jobs.router] if settings.jobs else [])):
        _answer_head(app, router)
    page: list[str] = []
    if settings.page and (STATIC / "index.html").is_file():
        page = [f"/{each.name}" for each in STATIC.iterdir() if each.is_file()]
        app.include_router(live.router)
        _answer_head(app, live.router)
        # The fallback if no route matches.  A mount at / would also catch wrong methods, and answer 404 instead of 405.
        app.router.default = _Page(directory=STATIC, html=True)
    else:
        app.add_api_route("/", _root, include_in_schema=False)

    app.add_exception_handler(BshmError, _on_error)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_middleware(Middleware, service=service, page=page)
    _describe_keys(app)
    return app


# The workers of the Live tab compile WebAssembly, which a policy has to allow; that lets no script in.  A worker has
# the policy of its own file: the page itself compiles nothing.
_COMPILES = {Path("app/live-worker.js"), Path("vendor/onnxruntime-web/ort-wasm-simd-threaded.mjs")}
_COMPILING_CSP = page_csp().replace("script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'")


class _Page(StaticFiles):
    """The web page, which loads nothing from other servers."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """A file of the page, with its policy."""
        if scope["method"] not in ("GET", "HEAD"):
            # A missing file is 404 for any method.
            if not self._is_there(path):
                raise HTTPException(404)
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        response = await super().get_response(path, scope)
        response.headers["Content-Security-Policy"] = _COMPILING_CSP if Path(path) in _COMPILES else page_csp()
        # Together with the opener policy of every answer, this isolates the page, which threads in WebAssembly need.
        response.headers["Cross-Origin-Embedder-Policy"] = "require-corp"
        response.headers["Cache-Control"] = "no-cache"  # checked again each time; the answer is mostly 304
        return response

    def _is_there(self, path: str) -> bool:
        try:
            return self.lookup_path(path)[1] is not None
        except (OSError, ValueError):  # too long, or not a path
            return False


async def _root() -> dict[str, str]:
    return {"service": "bshm", "version": __version__, "docs": "/docs"}


async def _on_error(request: Request, error: Exception) -> Response:
    answers.note(error, request.app.state.service.metrics, answers.id_of(request))
    return answers.of_error(error, path=answers.path_of(request), request_id=answers.id_of(request))


async def _on_http(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 500)
    title = {404: "Not found", 405: "Method not allowed"}.get(status, "The request is not understood")
    detail = str(getattr(error, "detail", title))
    headers = dict(getattr(error, "headers", None) or {})
    if status == 404:
        detail = "There is nothing at this address. /docs lists all addresses."
    elif status == 405:
        detail = f"{request.method} is not allowed; use {headers.get('Allow', 'another method')}. /docs has examples."
    if answers.path_of(request).startswith(answers.REMOVEBG):
        code = title.lower().replace(" ", "_")
        body: dict[str, Any] = {"errors": [{"title": title, "code": code, "detail": detail}]}
        return Response(json.dumps(body), status, headers, "application/json")
    return answers.problem(status, title, detail, request_id=answers.id_of(request), headers=headers)


async def _on_invalid(request: Request, error: Exception) -> Response:
    faults = {
        ".".join(map(str, each["loc"][1:])): str(each["msg"])
        for each in (error.errors() if isinstance(error, RequestValidationError) else [])
    }
    return await _on_error(request, answers.FieldError(faults or {"request": "is not valid."}))


def _answer_head(app: FastAPI, router: APIRouter) -> None:
    """Accept HEAD wherever GET is accepted, as HTTP requires; the ASGI server omits the body."""
    for route in list(router.routes):
        if isinstance(route, APIRoute) and "GET" in (route.methods or ()):
            app.add_api_route(
                route.path,
                route.endpoint,
                methods=["HEAD"],
                response_class=route.response_class,
                include_in_schema=False,
            )


def _describe_keys(app: FastAPI) -> None:
    """Describe the API key in OpenAPI."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        schema = plain()
        schemes = schema.setdefault("components", {}).setdefault("securitySchemes", {})
        schemes["key"] = {"type": "apiKey", "in": "header", "name": "X-Api-Key"}
        schema.setdefault("security", [{}, {"key": []}])
        return schema

    app.openapi = openapi  # type: ignore[method-assign]


def check_place(settings: Settings, *, has_keys: bool) -> None:
    """Refuse to serve other machines by accident.

    Raises:
        OptionError: other machines would reach a service without keys, and this was not requested.
    """
    if not settings.is_loopback and not has_keys and not settings.allow_open:
        raise OptionError(
            f"--host {settings.host} serves other machines, but there are no API keys. Add one with "
            "`bshm keys add NAME`, listen on 127.0.0.1, or use --allow-open to let anybody use the service."
        )
