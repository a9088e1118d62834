"""Handling of one request to a platform or a thumbnail: fault, response and log entry."""

from __future__ import annotations

from dataclasses import dataclass, replace

from devtools.platform_sandbox import generated_thumbnails as thumbnails
from devtools.platform_sandbox.distorted_bodies import distorted_response
from devtools.platform_sandbox.fault_responses import fault_response
from devtools.platform_sandbox.faults import Fault, FaultKind, FaultTarget
from devtools.platform_sandbox.http_messages import HttpRequest, HttpResponse, json_response
from devtools.platform_sandbox.platform_api import CallContext, CallDescription, PlatformApi
from devtools.platform_sandbox.sandbox_state import LoggedRequest, SandboxState
from devtools.platform_sandbox.world import PlatformName

_KEY_PARAMETERS = frozenset({"key", "api_key", "apikey", "access_key", "access_token", "x-access-key", "rapidapi-key"})
_PAGING_FAULTS = frozenset({FaultKind.REPEATED_CURSOR, FaultKind.LYING_HAS_MORE, FaultKind.EMPTY_PAGE})
_TRANSPORT_FAULTS = frozenset({FaultKind.HANG, FaultKind.RESET, FaultKind.HUGE_BODY})
_DEFAULT_HANG_SECONDS = 60.0
_STEP_SECONDS = 60


@dataclass(frozen=True, slots=True)
class PlannedResponse:
    """A response and the way to send it.

    `wait_seconds`: delay before the response. `resets`: the connection is reset instead. `huge`: the body is padded to
    50 MB.
    """

    response: HttpResponse
    wait_seconds: float = 0
    resets: bool = False
    huge: bool = False


def plan_platform_response(state: SandboxState, api: PlatformApi, request: HttpRequest) -> PlannedResponse:
    """Return the response of a platform's API to a request, and log the request."""
    call = api.describe(request)
    key_in_url = not _KEY_PARAMETERS.isdisjoint(name.lower() for name in request.query)
    fault = state.faults.take(_fault_target(api, call, request))
    if key_in_url:
        response = json_response({"error": "a key must not be part of a URL"}, 400)
    elif request.method != "GET":
        response = json_response({"error": "method not allowed"}, 405)
    else:
        response = _platform_response(state, api, request, fault)
    entry = LoggedRequest(
        platform=api.platform,
        call=call.name,
        path=request.path,
        query="" if key_in_url else request.query_string,
        status=response.status,
        page=call.page,
        fault=fault.kind if fault else None,
    )
    state.log.add(entry, call.video_ids)
    return _planned(response, fault)


def plan_thumbnail_response(state: SandboxState, request: HttpRequest) -> PlannedResponse:
    """Return the response to a request for a thumbnail, and log the request as the call `thumbnail`."""
    platform = thumbnails.platform_of(request.path)
    if platform is None:
        return PlannedResponse(HttpResponse(404, b"Not Found", "text/plain"))
    thumbnail_id = thumbnails.thumbnail_id(request.path)
    special = thumbnails.SPECIAL_IDS.get(thumbnail_id)
    fault = Fault(special) if special else state.faults.take(FaultTarget(platform, request.path, 1, {thumbnail_id}))
    response = _faulty_thumbnail(state, request, platform, fault) if fault else None
    if response is None:
        response = thumbnails.thumbnail(request, platform, state.clock.now())
    kind = fault.kind if fault else None
    state.log.add(LoggedRequest(platform, "thumbnail", request.path, "", response.status, 1, kind))
    return _planned(response, fault)


def _faulty_thumbnail(
    state: SandboxState, request: HttpRequest, platform: PlatformName, fault: Fault
) -> HttpResponse | None:
    response = thumbnails.faulty_thumbnail(fault.kind, request, state.options.redirect_target)
    return response or fault_response(fault, platform)


def _platform_response(
    state: SandboxState, api: PlatformApi, request: HttpRequest, fault: Fault | None
) -> HttpResponse:
    error = fault_response(fault, api.platform) if fault else None
    if error is not None:
        return error
    rejection = api.rejection(request, state.clock.now())
    if rejection is not None:
        return rejection
    response = _rendered(state, api, request, fault.kind if fault and fault.kind in _PAGING_FAULTS else None)
    if fault is None or fault.kind in _PAGING_FAULTS | _TRANSPORT_FAULTS:
        return response
    if fault.kind is FaultKind.TRUNCATED_JSON:
        return replace(response, body=response.body[: len(response.body) // 2])
    distorted = distorted_response(fault.kind, api.platform, response)
    if distorted is not None:
        return distorted
    return json_response({"error": f"there is no fault {fault.kind} on {api.platform}"}, 501)


def _rendered(
    state: SandboxState, api: PlatformApi, request: HttpRequest, distortion: FaultKind | None
) -> HttpResponse:
    """Return the platform's response as of the last whole minute, so that a repeated request hits the cache."""
    now = int(state.clock.now().timestamp()) // _STEP_SECONDS * _STEP_SECONDS
    key = (request.path, request.query_string, request.host, now, distortion)
    response = state.cache.get(key)
    if response is None:
        response = api.respond(CallContext(request, now, distortion))
        state.cache.put(key, response)
    return response


def _fault_target(api: PlatformApi, call: CallDescription, request: HttpRequest) -> FaultTarget:
    names = {name for value in request.query.values() for name in value.split(",")}
    if call.creator:
        names |= {call.creator.username, call.creator.external_id, call.creator.sec_id or ""}
    return FaultTarget(api.platform, request.path, call.page, names, request.headers.get(api.key_header))


def _planned(response: HttpResponse, fault: Fault | None) -> PlannedResponse:
    if fault is None:
        return PlannedResponse(response)
    hang = _DEFAULT_HANG_SECONDS if fault.seconds is None else fault.seconds
    return PlannedResponse(
        response,
        wait_seconds=hang if fault.kind is FaultKind.HANG else 0,
        resets=fault.kind is FaultKind.RESET,
        huge=fault.kind is FaultKind.HUGE_BODY,
    )
