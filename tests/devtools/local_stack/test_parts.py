from __future__ import annotations

import socket
import tempfile
from pathlib import Path

import pytest

from devtools.local_stack.config import LOOPBACK, StackConfig, StackError
from devtools.local_stack.parts import choose_port, choose_sandbox_port, make_socket_folder


def test_a_taken_port_is_refused_in_one_line_with_its_number_and_purpose() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]

        with pytest.raises(StackError) as refused:
            choose_port(port, "API server")

    assert str(port) in str(refused.value)
    assert "API server" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_port_zero_is_any_free_port() -> None:
    with socket.create_server((LOOPBACK, choose_port(0, "sandbox"))) as server:
        assert server.getsockname()[1] > 0


def test_the_sandbox_has_the_port_of_its_last_start_because_waiting_thumbnails_have_it(tmp_path: Path) -> None:
    first = choose_sandbox_port(StackConfig(folder=tmp_path))

    assert {choose_sandbox_port(StackConfig(folder=tmp_path)) for _ in range(3)} == {first}


def test_the_sandbox_has_another_port_if_its_last_one_is_taken(tmp_path: Path) -> None:
    first = choose_sandbox_port(StackConfig(folder=tmp_path))
    with socket.create_server((LOOPBACK, first)):
        second = choose_sandbox_port(StackConfig(folder=tmp_path))
        with pytest.raises(StackError, match=str(first)):
            choose_sandbox_port(StackConfig(folder=tmp_path, sandbox_port=first))

    assert second != first
    assert choose_sandbox_port(StackConfig(folder=tmp_path)) == second


def test_a_damaged_record_of_the_sandboxs_port_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "sandbox-port").write_text("seventy thousand")

    assert choose_sandbox_port(StackConfig(folder=tmp_path)) > 0


def test_a_folder_for_sockets_is_private() -> None:
    folder = make_socket_folder()
    try:
        assert folder.stat().st_mode & 0o077 == 0
    finally:
        folder.rmdir()


def test_a_folder_too_deep_for_sockets_is_refused_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("deep" * 20)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))

    with pytest.raises(StackError, match="TMPDIR"):
        make_socket_folder()

    assert list(deep.iterdir()) == []
