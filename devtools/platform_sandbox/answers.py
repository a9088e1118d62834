"""From a request to its outcome: the answer, and what a fault does to it on the way."""

from __future__ import annotations

from dataclasses import dataclass, replace

from devtools.platform_sandbox import thumbnails
from devtools.platform_sandbox.fault_answers import fault_answer
from devtools.platform_sandbox.faults import Fault, FaultKind, Target
from devtools.platform_sandbox.messages import Request, Response, json_response
from devtools.platform_sandbox.platform_api import CallFacts, Moment, PlatformApi
from devtools.platform_sandbox.platforms import Platform
from devtools.platform_sandbox.request_log import LoggedRequest
from devtools.platform_sandbox.state import SandboxState

_KEY_PARAMETERS = frozenset({"key", "api_key", "apikey", "access_key", "access_token", "x-access-key", "rapidapi-key"})
_DISTORTIONS = frozenset({FaultKind.REPEATED_CURSOR, FaultKind.LYING_HAS_MORE})
_CARRIED_OUT_BY_THE_SERVER = frozenset({FaultKind.HANG, FaultKind.RESET, FaultKind.HUGE_BODY})
_DEFAULT_HANG_SECONDS = 60.0
_STEP_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer and how it travels: after a wait, never (`resets`), or followed by 50 MB of padding (`huge`)."""

    response: Response
    wait_seconds: float = 0
    resets: bool = False
    huge: bool = False


def platform_outcome(state: SandboxState, api: PlatformApi, request: Request) -> Outcome:
    """What a platform's API does with a request, counted in the log."""
    facts = api.facts(request)
    key_in_url = not _KEY_PARAMETERS.isdisjoint(name.lower() for name in request.query)
    fault = state.faults.strike(_target(api, facts, request))
    if key_in_url:
        response = json_response({"error": "a key does not belong into a URL"}, 400)
    elif request.method != "GET":
        response = json_response({"error": "method not allowed"}, 405)
    else:
        response = _answer(state, api, request, fault)
    entry = LoggedRequest(
        platform=api.platform,
        call=facts.call,
        path=request.path,
        query="" if key_in_url else request.query_string,
        status=response.status,
        page=facts.page,
        fault=fault.kind if fault else None,
    )
    state.log.add(entry, facts.video_ids)
    return _travelling(response, fault)


def thumbnail_outcome(state: SandboxState, request: Request) -> Outcome:
    """What is found at a picture's address, counted in the log as the call `thumbnail`."""
    platform = thumbnails.platform_of(request.path)
    if platform is None:
        return Outcome(Response(404, b"Not Found", "text/plain"))
    picture_id = thumbnails.picture_id(request.path)
    special = thumbnails.SPECIAL_IDS.get(picture_id)
    fault = Fault(special) if special else state.faults.strike(Target(platform, request.path, 1, {picture_id}))
    response = _wrong_picture(state, request, platform, fault) if fault else None
    if response is None:
        response = thumbnails.thumbnail(request, platform, state.clock.now())
    kind = fault.kind if fault else None
    state.log.add(LoggedRequest(platform, "thumbnail", request.path, "", response.status, 1, kind))
    return _travelling(response, fault)


def _wrong_picture(state: SandboxState, request: Request, platform: Platform, fault: Fault) -> Response | None:
    wrong = thumbnails.wrong_thumbnail(fault.kind, request, state.options.redirect_target)
    return wrong or fault_answer(fault, platform)


def _answer(state: SandboxState, api: PlatformApi, request: Request, fault: Fault | None) -> Response:
    reported = fault_answer(fault, api.platform) if fault else None
    if reported is not None:
        return reported
    refused = api.refusal(request, state.clock.now())
    if refused is not None:
        return refused
    response = _rendered(state, api, request, fault.kind if fault and fault.kind in _DISTORTIONS else None)
    if fault is None or fault.kind in _DISTORTIONS | _CARRIED_OUT_BY_THE_SERVER:
        return response
    if fault.kind is FaultKind.TRUNCATED_JSON:
        return replace(response, body=response.body[: len(response.body) // 2])
    return json_response({"error": f"there is no fault {fault.kind} on {api.platform}"}, 501)


def _rendered(state: SandboxState, api: PlatformApi, request: Request, distortion: FaultKind | None) -> Response:
    """The platform's answer at the last whole minute, so that a repetition within it is served from memory."""
    now = int(state.clock.now().timestamp()) // _STEP_SECONDS * _STEP_SECONDS
    key = (request.path, request.query_string, request.host, now, distortion)
    response = state.cache.get(key)
    if response is None:
        response = api.answer(Moment(request, now, distortion))
        state.cache.put(key, response)
    return response


def _target(api: PlatformApi, facts: CallFacts, request: Request) -> Target:
    names = {name for value in request.query.values() for name in value.split(",")}
    if facts.creator:
        names |= {facts.creator.username, facts.creator.external_id, facts.creator.sec_id or ""}
    return Target(api.platform, request.path, facts.page, names)


def _travelling(response: Response, fault: Fault | None) -> Outcome:
    if fault is None:
        return Outcome(response)
    hang = _DEFAULT_HANG_SECONDS if fault.seconds is None else fault.seconds
    return Outcome(
        response,
        wait_seconds=hang if fault.kind is FaultKind.HANG else 0,
        resets=fault.kind is FaultKind.RESET,
        huge=fault.kind is FaultKind.HUGE_BODY,
    )
