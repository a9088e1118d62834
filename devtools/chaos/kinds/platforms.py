"""Kinds of faults of the platforms: every fault of the sandbox, for one blogger, one platform, and all platforms."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from devtools.chaos.kinds.kind import FETCHING, Kind, Outcome
from devtools.chaos.trial import Point, Trial
from devtools.platform_sandbox import FaultKind, PlatformName

_TIKTOK, _INSTAGRAM, _YOUTUBE = PlatformName.TIKTOK, PlatformName.INSTAGRAM, PlatformName.YOUTUBE
_ALL = tuple(PlatformName)
_HANG_SECONDS = 8
_RETRY_AFTER_SECONDS = 1
_PASSING_REQUESTS = (3, 12)
_THUMBNAIL_SECONDS = 30.0

_TRANSPORT: Mapping[FaultKind, Sequence[PlatformName]] = {
    FaultKind.RATE_LIMIT: _ALL,
    FaultKind.SERVER_ERROR: _ALL,
    FaultKind.UNAVAILABLE: _ALL,
    FaultKind.HANG: _ALL,
    FaultKind.RESET: _ALL,
    FaultKind.HUGE_BODY: _ALL,
}
_BODIES: Mapping[FaultKind, Sequence[PlatformName]] = {
    FaultKind.EMPTY_BODY: _ALL,
    FaultKind.HTML_BODY: _ALL,
    FaultKind.TRUNCATED_JSON: _ALL,
    FaultKind.LIST_MISSING: _ALL,
    FaultKind.LIST_NULL: _ALL,
}
_REFUSALS: Mapping[FaultKind, Sequence[PlatformName]] = {
    FaultKind.QUOTA_EXCEEDED: _ALL,
    FaultKind.CREDIT_GONE: _ALL,
    FaultKind.NOT_SUBSCRIBED: _ALL,
    FaultKind.INVALID_CREDENTIALS: _ALL,
    FaultKind.UNKNOWN_REFUSAL: _ALL,
    FaultKind.AUTOMATED_QUERIES: _ALL,
    FaultKind.SORRY_REDIRECT: _ALL,
    FaultKind.BLOCKED: (_TIKTOK, _INSTAGRAM),
    FaultKind.RESTRICTED_USER: (_TIKTOK,),
    FaultKind.WAIT_A_FEW_MINUTES: (_INSTAGRAM,),
    FaultKind.CHALLENGE_REQUIRED: (_INSTAGRAM,),
    FaultKind.KEY_INVALID: (_YOUTUBE,),
    FaultKind.PROJECT_SUSPENDED: (_YOUTUBE,),
    FaultKind.REFERER_BLOCKED: (_YOUTUBE,),
    FaultKind.UNREGISTERED_CALLER: (_YOUTUBE,),
}
_LISTS: Mapping[FaultKind, Sequence[PlatformName]] = {
    FaultKind.REPEATED_CURSOR: _ALL,
    FaultKind.LYING_HAS_MORE: _ALL,
    FaultKind.EMPTY_PAGE: _ALL,
    FaultKind.NOT_FOUND: _ALL,
    FaultKind.ZERO_VIEWS: _ALL,
    FaultKind.OWN_ADVERTISEMENTS: (_TIKTOK, _INSTAGRAM),
    FaultKind.FOREIGN_ADVERTISEMENT: (_TIKTOK, _INSTAGRAM),
    FaultKind.UNMARKED_PINS: (_TIKTOK, _INSTAGRAM),
    FaultKind.MICROSECONDS: (_TIKTOK, _INSTAGRAM),
    FaultKind.REGION: (_TIKTOK,),
    FaultKind.LIST_AS_DATA: (_TIKTOK,),
    FaultKind.BECAME_PRIVATE: (_TIKTOK,),
    FaultKind.PRIVATE_PROFILE_WITH_CODE: (_TIKTOK,),
    FaultKind.ENTRIES_NOT_FOUND: (_INSTAGRAM,),
    FaultKind.CLIPS_LEFT_OUT: (_INSTAGRAM,),
    FaultKind.NO_MEDIA_TYPE: (_INSTAGRAM,),
    FaultKind.INVALID_PAGE: (_YOUTUBE,),
    FaultKind.PLAYLIST_NOT_FOUND: (_YOUTUBE,),
}
_APIS = {_TIKTOK: "/tiktok/api/", _INSTAGRAM: "/instagram/v2/", _YOUTUBE: "/youtube/v3/"}
_PATHS = {FaultKind.ENTRIES_NOT_FOUND: "/clips", FaultKind.PLAYLIST_NOT_FOUND: "playlistItems"}
_GROUPS = {"transport": _TRANSPORT, "bodies": _BODIES, "refusals": _REFUSALS}


def _fault(kind: FaultKind, platform: PlatformName, **conditions: object) -> dict[str, object]:
    seconds = {FaultKind.HANG: _HANG_SECONDS, FaultKind.RATE_LIMIT: _RETRY_AFTER_SECONDS}.get(kind)
    # Thumbnails have kinds of their own.
    path = _PATHS.get(kind, _APIS[platform])
    return {"kind": kind, "platform": platform, "path": path, "seconds": seconds, **conditions}


def _for_single_bloggers(
    faults: Mapping[FaultKind, Sequence[PlatformName]], *, distorting: bool = False
) -> Callable[[Trial], None]:
    """Return a disturbance that gives every fault a blogger of its own, until the run has ended.

    A distorting fault changes what the creator seems to list, which therefore cannot be checked.
    """

    def inject(trial: Trial) -> None:
        unused = {
            platform: [blogger for blogger, each in trial.fleet.creators.items() if each.platform == platform]
            for platform in PlatformName
        }
        for kind, platforms in faults.items():
            platform = trial.random.choice([each for each in platforms if unused[each]] or [None])
            if platform is None:
                continue
            blogger = unused[platform].pop(trial.random.randrange(len(unused[platform])))
            creator = trial.fleet.creators[blogger]
            trial.sandbox.inject(
                _fault(kind, platform, creator=creator.external_id if creator.sec_id is None else creator.sec_id)
            )
            if distorting:
                trial.expected.creators.pop(blogger, None)
        _end_suspensions_later(trial)

    return inject


def _for_platforms(
    faults: Mapping[FaultKind, Sequence[PlatformName]], number: int, *, passing: bool = False
) -> Callable[[Trial], None]:
    """Return a disturbance that gives `number` platforms a fault, until the run has ended or for a few requests."""

    def inject(trial: Trial) -> None:
        for platform in trial.random.sample(_ALL, number):
            kind = trial.random.choice([kind for kind, platforms in faults.items() if platform in platforms])
            times = trial.random.randint(*_PASSING_REQUESTS) if passing else None
            trial.sandbox.inject(_fault(kind, platform, times=times))
            trial.notes.append(f"{platform}: {kind}" + (f", {times} times" if times else ""))
        _end_suspensions_later(trial)

    return inject


def _end_suspensions_later(trial: Trial) -> None:
    """Let an operator end the suspensions once the fault is over, as docs/operations.md says."""
    trial.repair_later(lambda: trial.execute("delete from blogger_tracking.platform_suspensions"))


def _suspend(trial: Trial) -> None:
    trial.execute(
        "insert into blogger_tracking.platform_suspensions (platform, suspended_until, reason, suspended_at) "
        "values (%(platform)s, now() + interval '2 minutes', 'chaos', now()) "
        "on conflict (platform) do update set suspended_until = excluded.suspended_until",
        platform=trial.random.choice(_ALL),
    )
    _end_suspensions_later(trial)


def _spoil_thumbnails(kind: FaultKind) -> Callable[[Trial], None]:
    def inject(trial: Trial) -> None:
        trial.sandbox.inject({"kind": kind, "path": "/thumbnails/"})
        time.sleep(_THUMBNAIL_SECONDS)
        trial.sandbox.heal()

    return inject


def _fault_kinds() -> Iterator[Kind]:
    for name, faults in _GROUPS.items():
        yield Kind(
            name=f"{name}-single-bloggers",
            sentence=f"each fault of {name} for a blogger of its own, until the end of the run",
            points=(Point.TRIGGERED, Point.PLANNED),
            inject=_for_single_bloggers(faults),
            outcome=Outcome.ANY,
            follow_up=True,
        )
        yield Kind(
            name=f"{name}-one-platform",
            sentence=f"a fault of {name} for one platform, until the end of the run",
            points=(Point.TRIGGERED, *FETCHING),
            inject=_for_platforms(faults, 1),
            outcome=Outcome.ANY,
            follow_up=True,
        )
        yield Kind(
            name=f"{name}-all-platforms",
            sentence=f"a fault of {name} for each platform, until the end of the run",
            points=(Point.TRIGGERED, *FETCHING),
            inject=_for_platforms(faults, len(_ALL)),
            outcome=Outcome.ANY,
            follow_up=True,
        )
        yield Kind(
            name=f"{name}-passing",
            sentence=f"a fault of {name} for a few requests to each platform",
            points=(Point.TRIGGERED, *FETCHING),
            inject=_for_platforms(faults, len(_ALL), passing=True),
            outcome=Outcome.ANY,
            follow_up=True,
        )


KINDS = (
    *_fault_kinds(),
    Kind(
        name="lists-single-bloggers",
        sentence="each fault that distorts a list for a blogger of its own, until the end of the run",
        points=(Point.TRIGGERED, Point.PLANNED),
        inject=_for_single_bloggers(_LISTS, distorting=True),
        outcome=Outcome.ANY,
        follow_up=True,
    ),
    Kind(
        name="platform-suspended-before-planning",
        sentence="a platform suspended when the run is planned: the run must be red",
        points=(Point.TRIGGERED,),
        inject=_suspend,
        outcome=Outcome.RED,
        follow_up=True,
    ),
    Kind(
        name="platform-suspended",
        sentence="a platform suspended during the run",
        points=FETCHING,
        inject=_suspend,
        outcome=Outcome.ANY,
        follow_up=True,
    ),
    Kind(
        name="html-for-thumbnails",
        sentence="thumbnails are pages of HTML for half a minute",
        points=(Point.TRIGGERED, Point.PLANNED),
        inject=_spoil_thumbnails(FaultKind.HTML_BODY),
    ),
    Kind(
        name="empty-thumbnails",
        sentence="thumbnails are empty for half a minute",
        points=(Point.TRIGGERED, Point.PLANNED),
        inject=_spoil_thumbnails(FaultKind.EMPTY_BODY),
    ),
)
