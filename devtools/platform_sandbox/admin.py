"""The sandbox's own routes below `/_sandbox/`: faults, requests, clock, health."""

from __future__ import annotations

import json
from datetime import datetime

from devtools.platform_sandbox.faults import Fault, FaultKind
from devtools.platform_sandbox.messages import Request, Response, json_response
from devtools.platform_sandbox.platforms import Platform
from devtools.platform_sandbox.state import SandboxState

PREFIX = "/_sandbox/"
_FAULT_TYPES: dict[str, tuple[type, ...]] = {
    "path": (str,),
    "creator": (str,),
    "page": (int,),
    "times": (int,),
    "seconds": (int, float),
}


class InvalidOrderError(ValueError):
    """The body of an admin request is not what the route takes."""


def answer(state: SandboxState, request: Request, body: bytes) -> Response:
    """The answer to an admin request: 400 with the reason for a body that does not fit, 404 for an unknown route."""
    route = (request.method, request.path.removeprefix(PREFIX))
    try:
        return _answer(state, route, body)
    except InvalidOrderError as error:
        return json_response({"error": str(error)}, 400)


def fault_from_json(order: object) -> Fault:
    """A fault from `{"kind": …}` and any other field of `Fault`. Raises InvalidOrderError."""
    if not isinstance(order, dict):
        raise InvalidOrderError("a fault is a JSON object with a kind")
    fields = {str(name): value for name, value in order.items() if value is not None}
    try:
        kind = FaultKind(fields.pop("kind", ""))
        platform = Platform(fields.pop("platform")) if "platform" in fields else None
    except ValueError as error:
        raise InvalidOrderError(str(error)) from error
    for name, value in fields.items():
        if not isinstance(value, _FAULT_TYPES.get(name, ())):
            message = f"{name} is not a field of a fault, or not of its type"
            raise InvalidOrderError(message)
    return Fault(kind, platform, **fields)


def _answer(state: SandboxState, route: tuple[str, str], body: bytes) -> Response:
    if route == ("GET", "health"):
        return json_response(_health(state))
    if route == ("GET", "requests"):
        units = state.youtube.units.used(state.clock.now())
        return json_response(state.log.as_json() | {"youtube_units": units})
    if route == ("DELETE", "requests"):
        state.log.clear()
        return json_response({})
    if route == ("POST", "clock"):
        _set_clock(state, _parsed(body))
        return json_response({"now": state.clock.now().isoformat()})
    return _answer_about_faults(state, route, body)


def _answer_about_faults(state: SandboxState, route: tuple[str, str], body: bytes) -> Response:
    if route == ("POST", "faults"):
        orders = _parsed(body)
        for fault in [fault_from_json(order) for order in (orders if isinstance(orders, list) else [orders])]:
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


def _set_clock(state: SandboxState, order: object) -> None:
    match order:
        case {"now": None}:
            state.clock.set(None)
        case {"now": str(text)}:
            state.clock.set(_moment(text))
        case {"advance_seconds": int() | float() as seconds}:
            state.clock.advance(seconds)
        case _:
            raise InvalidOrderError("the clock takes now (ISO 8601 with an offset, or null) or advance_seconds")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidOrderError(str(error)) from error
    if moment.tzinfo is None:
        raise InvalidOrderError("now needs an offset from UTC")
    return moment


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError as error:
        message = f"the body is not JSON: {error}"
        raise InvalidOrderError(message) from error
