"""``GET /presets``: the presets that a request may name."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import APIRouter, Request

from bshm.edit import preset
from bshm.errors import EnvironmentFault, OptionError
from bshm.server import logs
from bshm.server.schema import PROBLEMS
from bshm.server.service import Service

router = APIRouter(tags=["pictures"])


@router.get("/presets", summary="List the presets", responses=PROBLEMS)
async def presets(request: Request) -> dict[str, Any]:
    """The names that the field `preset` takes, with sizes in pixels and mm, and rules with their sources."""
    service: Service = request.app.state.service
    return {"presets": await service.pool.beside(_every)}


def _every() -> list[dict[str, Any]]:
    found = []
    for name in preset.names():
        try:
            found.append(preset.find(name).to_json())
        except (OptionError, EnvironmentFault) as error:  # a damaged file must not hide the others
            logs.say(logging.WARNING, "preset", name=name, reason=str(error))
    return found
