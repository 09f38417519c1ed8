"""The service against its own description, by schemathesis."""

from __future__ import annotations

from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.core.result import Ok


def test_nothing_that_the_schema_allows_or_forbids_is_a_fault(start: Any) -> None:
    client = start(cache="off", max_pixels=100_000, max_upload_bytes=100_000, max_job_bytes=200_000)
    schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    seen: dict[str, int] = {}

    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()

        @settings(
            max_examples=15,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @_given(operation)  # type: ignore[untyped-decorator]
        def check(case: Any) -> None:
            # Made by requests, which schemathesis speaks; sent by the client of these tests.
            prepared = requests.Request(**case.as_transport_kwargs(base_url="http://localhost")).prepare()
            answer = client.request(
                str(prepared.method), str(prepared.url), content=prepared.body or b"", headers=dict(prepared.headers)
            )
            name = f"{case.method} {case.path}"
            seen[name] = seen.get(name, 0) + 1
            # 503 and 507 are answers; 500 is a fault.
            assert answer.status_code != 500, (name, answer.text[:300])
            assert "Traceback" not in answer.text[:5000]
            if answer.status_code >= 400:
                kind = answer.headers["content-type"]
                assert kind in ("application/problem+json", "application/json"), (name, kind)

        check()
    assert {"POST /matte", "POST /v1.0/removebg", "POST /jobs", "POST /videos", "GET /jobs/{job_id}"} <= set(seen)


def _given(operation: Any) -> Any:
    from hypothesis import given

    return given(case=operation.as_strategy())
