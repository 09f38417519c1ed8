"""``/web-weights/…``: the network that the page's Live tab runs in the browser, with its card."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from bshm.server.service import Service
from bshm.weights import catalogue, store

MODEL = "bshm-live"
HEADERS = {"Cache-Control": "no-cache"}  # browsers must ask again each time, since weights change with an update

# These files belong to the page, not to the public interface of the service.
router = APIRouter(include_in_schema=False)


@router.get(f"/web-weights/{MODEL}.json")
async def card(request: Request) -> Response:
    """The card, which says how to prepare a picture for the network."""
    service: Service = request.app.state.service
    found = await service.pool.beside(lambda: catalogue.find(MODEL))
    return Response(found.to_json(), headers=HEADERS, media_type="application/json")


@router.get(f"/web-weights/{MODEL}.onnx")
async def network(request: Request) -> Response:
    """The network, checked against its card."""
    service: Service = request.app.state.service

    def read() -> bytes:
        found = catalogue.find(MODEL)
        return store.read(found, found.networks["mask"])

    return Response(await service.pool.beside(read), headers=HEADERS, media_type="application/octet-stream")
