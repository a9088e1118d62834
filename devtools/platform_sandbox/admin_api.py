"""Routes below `/_sandbox/` that control the sandbox: faults, requests, clock, health."""

from __future__ import annotations

import json
from datetime import datetime

from devtools.platform_sandbox.faults import Fault, FaultKind
from devtools.platform_sandbox.http_messages import HttpRequest, HttpResponse, json_response
from devtools.platform_sandbox.sandbox_state import SandboxState
from devtools.platform_sandbox.world import PlatformName

PREFIX = "/_sandbox/"
_FIELD_TYPES: dict[str, tuple[type, ...]] = {
    "path": (str,),
    "creator": (str,),
    "page": (int,),
    "key": (str,),
    "times": (int,),
    "seconds": (int, float),
}


class InvalidAdminRequestError(ValueError):
    """Invalid body of an admin request; the message states the reason."""


def admin_response(state: SandboxState, request: HttpRequest, body: bytes) -> HttpResponse:
    """Carry out an admin request: 400 with the reason for an invalid body, 404 for an unknown route."""
    route = (request.method, request.path.removeprefix(PREFIX))
    try:
        return _route_response(state, route, body)
    except InvalidAdminRequestError as error:
        return json_response({"error": str(error)}, 400)


def fault_from_json(document: object) -> Fault:
    """Return the fault in a JSON object with `kind` and any other field of `Fault`.

    Raises InvalidAdminRequestError if the object has an unknown field, kind or platform, or a value of the wrong type.
    """
    if not isinstance(document, dict):
        raise InvalidAdminRequestError("a fault is a JSON object with a kind")
    fields = {str(name): value for name, value in document.items() if value is not None}
    kind, platform = fields.pop("kind", None), fields.pop("platform", None)
    if kind not in list(FaultKind):
        raise InvalidAdminRequestError(f"kind must be one of {', '.join(FaultKind)}")
    if platform is not None and platform not in list(PlatformName):
        raise InvalidAdminRequestError(f"platform must be one of {', '.join(PlatformName)}")
    for name, value in fields.items():
        if not isinstance(value, _FIELD_TYPES.get(name, ())):
            raise InvalidAdminRequestError(f"{name} is not a field of a fault, or its value has the wrong type")
    return Fault(FaultKind(kind), platform, **fields)


def _route_response(state: SandboxState, route: tuple[str, str], body: bytes) -> HttpResponse:
    if route == ("GET", "health"):
        return json_response(_health(state))
    if route == ("GET", "requests"):
        units = state.youtube.units.used(state.clock.now())
        return json_response(state.log.as_json() | {"youtube_units": units})
    if route == ("DELETE", "requests"):
        state.log.clear()
        return json_response({})
    if route == ("POST", "clock"):
        _set_clock(state, _parse_json(body))
        return json_response({"now": state.clock.now().isoformat()})
    return _faults_response(state, route, body)


def _faults_response(state: SandboxState, route: tuple[str, str], body: bytes) -> HttpResponse:
    if route == ("POST", "faults"):
        documents = _parse_json(body)
        for fault in [fault_from_json(one) for one in (documents if isinstance(documents, list) else [documents])]:
            state.faults.add(fault)
    elif route == ("DELETE", "faults"):
        state.faults.clear()
    elif route != ("GET", "faults"):
        return json_response({"error": "no such route"}, 404)
    return json_response({"pending": [fault.kind for fault in state.faults.pending()]})


def _health(state: SandboxState) -> dict[str, object]:
    options = state.options
    return {
        "status": "ok",
        "now": state.clock.now().isoformat(),
        "seed": options.seed,
        "creators_per_platform": options.creators_per_platform,
    }


def _set_clock(state: SandboxState, document: object) -> None:
    match document:
        case {"now": None}:
            state.clock.set(None)
        case {"now": str(text)}:
            state.clock.set(_parse_time(text))
        case {"advance_seconds": int() | float() as seconds}:
            state.clock.advance(seconds)
        case _:
            raise InvalidAdminRequestError("the body needs now (ISO 8601 with an offset, or null) or advance_seconds")


def _parse_time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidAdminRequestError(str(error)) from error
    if time.tzinfo is None:
        raise InvalidAdminRequestError("now needs an offset from UTC")
    return time


def _parse_json(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError as error:
        raise InvalidAdminRequestError(f"the body is not JSON: {error}") from error
