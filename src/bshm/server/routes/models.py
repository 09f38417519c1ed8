"""``GET /models``: the models that a request may name."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import APIRouter, Request

from bshm.errors import ModelFileError
from bshm.server import logs
from bshm.server.schema import PROBLEMS
from bshm.server.service import Service
from bshm.weights import catalogue
from bshm.weights.card import Card

router = APIRouter(tags=["pictures"])


@router.get("/models", summary="List the models", responses=PROBLEMS)
async def models(request: Request) -> dict[str, Any]:
    """The names that the field `model` takes, what each model is for, and the default."""
    service: Service = request.app.state.service
    cards = await service.pool.beside(_readable)
    return {
        "default": service.settings.model,
        "models": [{"name": card.name, "purpose": card.purpose} for card in cards],
    }


def _readable() -> list[Card]:
    found = []
    for path in catalogue.paths():
        try:
            found.append(Card.read(path))
        except ModelFileError as error:  # a damaged card must not hide the others
            logs.say(logging.WARNING, "card", name=path.stem, reason=str(error))
    return found
