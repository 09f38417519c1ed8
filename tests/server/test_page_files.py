"""What the page's Live tab is served: isolation, a policy that lets WebAssembly in, the network itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from bshm.server.app import create_app
from bshm.server.settings import Settings
from bshm.weights import catalogue

VENDOR = "/vendor/onnxruntime-web/"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    """A service that wants a key, with the weights in the box."""
    settings = Settings(model="bshm-live", keys_file=tmp_path / "keys.json", cache="off", jobs=False)
    with TestClient(create_app(settings), base_url="http://localhost") as client:
        client.app.state.service.keys.add("shop")  # type: ignore[attr-defined]
        yield client


@pytest.mark.real
def test_the_live_network_is_served_to_the_page_without_a_key(client: TestClient) -> None:
    assert client.get("/models").status_code == 401
    card = client.get("/web-weights/bshm-live.json").json()
    weights = client.get("/web-weights/bshm-live.onnx")
    expected = catalogue.find("bshm-live").networks["mask"]
    assert card["networks"]["mask"]["sha256"] == hashlib.sha256(weights.content).hexdigest() == expected.sha256
    assert client.head("/web-weights/bshm-live.onnx").status_code == 200
    # No other set, and no other file of the folder.
    for name in ("bshm.mask.onnx", "bshm.onnx", "credits.csv", "..%2Fbshm.json"):
        assert client.get(f"/web-weights/{name}").status_code == 404


@pytest.mark.real
def test_the_page_is_isolated_and_its_policy_stays_strict(client: TestClient) -> None:
    compiling = ("/app/live-worker.js", f"{VENDOR}ort-wasm-simd-threaded.mjs")
    for path in ("/", "/app/main.js", *compiling):
        headers = client.get(path).headers
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        policy = headers["Content-Security-Policy"].split("; ")
        # In the workers WebAssembly may be compiled; text may be run nowhere.
        may = " 'wasm-unsafe-eval'" if path in compiling else ""
        assert f"script-src 'self'{may}" in policy
        assert {"default-src 'none'", "worker-src 'self'", "connect-src 'self' blob:"} <= set(policy)
        assert "'unsafe-eval'" not in headers["Content-Security-Policy"]


@pytest.mark.real
def test_the_runtime_comes_from_here_with_its_licence(client: TestClient) -> None:
    types = {
        "ort.wasm.min.mjs": "javascript",
        "ort-wasm-simd-threaded.mjs": "javascript",
        # Browsers compile while it arrives only if it is called by its name.
        "ort-wasm-simd-threaded.wasm": "application/wasm",
    }
    for name, kind in types.items():
        assert kind in client.get(VENDOR + name).headers["Content-Type"]
    assert "MIT License" in client.get(f"{VENDOR}LICENSE").text
