"""Limits of a subscription: members resume paused bloggers, and bloggers without room, over both APIs."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus

import psycopg

from blogger_tracking.database.rows import fetch_value
from blogger_tracking.domain.models import Role
from devtools.attack.target import Target, Tenant
from devtools.attack.tries import Try

_LIMIT = "update blogger_tracking.subscriptions set blogger_limit = 0 where organization_id = %s"
_IS_ACTIVE = "select is_active from blogger_tracking.tracked_accounts where id = %s"
_ACTIVATE = "update blogger_tracking.tracked_accounts set is_active = true where id = %s"


def subscriptions(target: Target) -> Iterator[Try]:
    """Resume a blogger that a manager has paused, and one for which the subscription has no room."""
    tenant = target.tenant()
    owner = target.token(target.member(tenant, Role.OWNER))
    paused = target.send("PATCH", f"/{tenant.tracking_id}", owner, json={"isActive": False})
    yield Try("the owner pauses a blogger", paused.status_code == HTTPStatus.OK, str(paused.status_code))
    for role in (Role.MEMBER, Role.VIEWER):
        token = target.token(target.member(tenant, role))
        yield _stays_paused(target, tenant, f"{role} adds the paused blogger", _add(target, tenant, token))
        changed = target.send("PATCH", f"/{tenant.tracking_id}", token, json={"isActive": True})
        yield _stays_paused(target, tenant, f"{role} resumes the blogger", changed.status_code)
    target.connection.execute(_LIMIT, (tenant.organization_id,))
    for role in (Role.OWNER, Role.ADMIN):
        token = target.token(target.member(tenant, role))
        yield _stays_paused(target, tenant, f"{role} adds a blogger without room", _add(target, tenant, token))
        yield _over_the_data_api(target, tenant, role)


def _add(target: Target, tenant: Tenant, token: str) -> int:
    body = {"bloggerId": str(tenant.blogger_id), "organizationId": str(tenant.organization_id)}
    return target.send("POST", "/add-from-tracking", token, json=body).status_code


def _stays_paused(target: Target, tenant: Tenant, name: str, status: int) -> Try:
    active = bool(fetch_value(target.connection, _IS_ACTIVE, (tenant.tracking_id,)))
    refused = status in {HTTPStatus.FORBIDDEN, HTTPStatus.PAYMENT_REQUIRED}
    return Try(name, refused and not active, f"{status}, {'active' if active else 'paused'}")


def _over_the_data_api(target: Target, tenant: Tenant, role: Role) -> Try:
    name = f"{role} resumes a blogger without room over the Data API"
    try:
        with target.signed_in("authenticated", target.member(tenant, role)) as connection:
            changed = connection.execute(_ACTIVATE, (tenant.tracking_id,)).rowcount
    except psycopg.Error as error:
        return Try(name, held=True, found=type(error).__name__)
    return Try(name, changed == 0, f"{changed} rows")
