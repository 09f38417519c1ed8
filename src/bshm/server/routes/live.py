"""``/web-weights/…``: the network that the page's Live tab runs in the browser, and its card."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from bshm.server.service import Service
from bshm.weights import catalogue, store

MODEL = "bshm-live"
HEADERS = {"Cache-Control": "no-cache"}  # asked for again each time: weights change with an update

# Files of the page, and no part of the service's interface.
router = APIRouter(include_in_schema=False)


@router.get(f"/web-weights/{MODEL}.json")
async def card(request: Request) -> Response:
    """The card: how a picture is prepared for the network."""
    service: Service = request.app.state.service
    found = await service.pool.beside(lambda: catalogue.find(MODEL))
    return Response(found.to_json(), headers=HEADERS, media_type="application/json")


@router.get(f"/web-weights/{MODEL}.onnx")
async def network(request: Request) -> Response:
    """The network, once it is what its card says."""
    service: Service = request.app.state.service

    def read() -> bytes:
        found = catalogue.find(MODEL)
        return store.read(found, found.networks["mask"])

    return Response(await service.pool.beside(read), headers=HEADERS, media_type="application/octet-stream")
