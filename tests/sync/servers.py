"""Real servers on loopback for the tests: uvicorn through `evgit serve`, and the system's sshd."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import IN_CI

STARTING_SECONDS = 60
SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextmanager
def serving(root: Path, *options: str, log: list[str] | None = None) -> Iterator[str]:
    """`evgit serve` on loopback; gives its URL. `log`: gets what it wrote, when it has ended."""
    process = subprocess.Popen(
        [sys.executable, "-m", "evgit", "serve", str(root), "--port", "0", *options],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        said = process.stderr.readline()
        assert said.startswith("serving "), said
        yield said.rsplit(" ", 1)[1].strip()
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stderr is not None
        with process.stderr:
            if log is not None:
                log += process.stderr.read().splitlines()


@contextmanager
def ssh_host(directory: Path) -> Iterator[tuple[str, str]]:
    """An sshd on loopback with throwaway keys: (the command that stands for ssh, user@host).

    Whoever logs in finds the evgit that is being tested.
    """
    if SSHD is None:
        message = "these tests need the system's sshd (package openssh-server)"
        pytest.fail(message) if IN_CI else pytest.skip(message)
    directory.mkdir()
    directory.chmod(0o700)
    for name in ("host", "user"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name)], check=True
        )
    shutil.copy(directory / "user.pub", directory / "authorized")
    (directory / "authorized").chmod(0o600)
    bin_directory = directory / "bin"
    bin_directory.mkdir()
    command = bin_directory / "evgit"
    command.write_text(f'#!/bin/sh\nPYTHONPATH={os.getcwd()} exec {sys.executable} -m evgit "$@"\n')
    command.chmod(0o755)
    port = free_port()
    config = directory / "sshd_config"
    config.write_text(
        f"""
Port {port}
ListenAddress 127.0.0.1
HostKey {directory}/host
AuthorizedKeysFile {directory}/authorized
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
SetEnv PATH={bin_directory}:/usr/bin:/bin
"""
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    log = (directory / "log").open("w")
    process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(config)], stderr=log)
    try:
        _wait_for(port, process, directory / "log")
        ssh = (
            f"ssh -F none -i {directory}/user -p {port} -o IdentitiesOnly=yes -o BatchMode=yes"
            f" -o UserKnownHostsFile={directory}/known -o StrictHostKeyChecking=accept-new"
            " -o LogLevel=ERROR"
        )
        yield ssh, f"{getpass.getuser()}@127.0.0.1"
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + STARTING_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise AssertionError(log.read_text())
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("sshd did not answer")
