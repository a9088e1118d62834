"""What the members of an organization may do."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """A member's role in an organization."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"

    @property
    def may_add(self) -> bool:
        """Whether this role may add bloggers."""
        return self is not Role.VIEWER

    @property
    def may_manage(self) -> bool:
        """Whether this role may pause a tracked account or change its count; the database's policies say the same."""
        return self in {Role.OWNER, Role.ADMIN}
