"""Keys, passwords and the name of one stack: generated once per folder, readable by their owner alone."""

from __future__ import annotations

import json
import os
import secrets
from base64 import urlsafe_b64encode
from dataclasses import asdict, dataclass, field
from pathlib import Path

from devtools.local_stack.errors import StackError

_FERNET_BYTES = 32
# As long as the digest of the algorithm that Airflow signs its tokens with.
_KEY_BYTES = 64
_PASSWORD_BYTES = 12


def _fernet_key() -> str:
    return urlsafe_b64encode(os.urandom(_FERNET_BYTES)).decode()


def _key() -> str:
    return secrets.token_urlsafe(_KEY_BYTES)


def _password() -> str:
    return secrets.token_urlsafe(_PASSWORD_BYTES)


def _deployment() -> str:
    return f"local-{secrets.token_hex(4)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSecrets:
    """Everything secret about a stack, none of which shows in a repr, and `deployment`, its name in the ledger.

    A stack that was rebuilt has a new name: it starts its DAG run ids anew.
    """

    deployment: str = field(default_factory=_deployment)
    fernet_key: str = field(default_factory=_fernet_key, repr=False)
    api_secret_key: str = field(default_factory=_key, repr=False)
    jwt_secret: str = field(default_factory=_key, repr=False)
    admin_password: str = field(default_factory=_password, repr=False)
    sandbox_key: str = field(default_factory=_key, repr=False)
    supabase_secret: str = field(default_factory=_key, repr=False)


def load_secrets(folder: Path) -> StackSecrets:
    """The secrets of the stack in this folder, made if it has none yet. Raises StackError for an unreadable file."""
    file = folder / "secrets.json"
    if not file.exists():
        write_private(file, asdict(StackSecrets()))
    try:
        return StackSecrets(**json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise StackError(
            f"{file} is not what was written there. Remove {folder} to start anew; its databases are lost then."
        ) from error


def write_private(file: Path, content: object) -> None:
    """Write JSON that nobody else may read, never leaving half a file behind."""
    draft = file.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    draft.touch(0o600, exist_ok=False)
    draft.write_text(json.dumps(content, indent=2), encoding="utf-8")
    draft.replace(file)
