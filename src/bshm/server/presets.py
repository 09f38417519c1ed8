"""``GET /presets``: what shops and offices ask of a picture, as a request may name it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from bshm.edit import preset
from bshm.server.matte import PROBLEMS
from bshm.server.service import Service

router = APIRouter(tags=["pictures"])


@router.get("/presets", summary="Which presets are there?", responses=PROBLEMS)
async def presets(request: Request) -> dict[str, Any]:
    """The names that the field `preset` takes, with sizes in pixels and mm, rules and where those are from."""
    service: Service = request.app.state.service
    return {"presets": await service.engine.beside(_every)}


def _every() -> list[dict[str, Any]]:
    return [preset.find(name).to_json() for name in preset.names()]
