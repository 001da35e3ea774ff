"""The same conversation over every transport: a plain path, a real sshd, a real HTTP server."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from evgit.errors import StorageFull
from evgit.repository import NewEvent, Repository
from evgit.server.access import hash_of
from evgit.server.making import LargeAnswers
from tests.sync.servers import serving, ssh_host

TOKEN, READER, OLD = "a-writer's-token", "a-reader's-token", "yesterday's-token"

CONFIG = f"""
public = ["open"]

[[token]]
name = "writer"
hash = "{hash_of(TOKEN)}"
right = "write"
repositories = ["ledger"]

[[token]]
name = "reader"
hash = "{hash_of(READER)}"
repositories = ["ledger"]

[[token]]
name = "old"
hash = "{hash_of(OLD)}"
right = "write"
expires = "2020-01-01"
"""


@dataclass
class Person:
    """Somebody at a machine of their own, whose evgit is a process of its own."""

    directory: Path
    environment: dict[str, str]

    def __call__(self, *words: str, at: str = ".", code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "evgit", "-C", str(self.directory / at), *words],
            capture_output=True,
            text=True,
            check=False,
            env=self.environment,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def commit(self, stream: str, at: str) -> None:
        self("commit", "-q", "-s", stream, "-t", "happened", "n=1", "-m", f"To {stream}", at=at)


@pytest.fixture
def person(tmp_path: Path) -> Person:
    home = tmp_path / "home"
    home.mkdir()
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("EVGIT_", "XDG_"))}
    own = {
        "HOME": str(home),
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        "EVGIT_AUTHOR_NAME": "Ada",
        "EVGIT_AUTHOR_EMAIL": "ada@example.org",
        "EVGIT_TRUST_FILE": str(tmp_path / "trusted.json"),
    }
    return Person(tmp_path, kept | own)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory of repositories to serve."""
    place = tmp_path / "srv"
    for name in ("ledger", "open", "secret"):
        with Repository.init(place / name, bare=True, author="Eve <eve@example.org>") as made:
            made.append([_new(n) for n in range(300)], message="The first three hundred")
    return place


def _new(number: int):  # type: ignore[no-untyped-def]
    return NewEvent(f"s-{number % 7}", "counted", {"n": number})


@pytest.fixture(params=["path", "file", "ssh", "scp", "http"])
def address(
    request: pytest.FixtureRequest, root: Path, tmp_path: Path, person: Person
) -> Iterator[str]:
    """The ledger's address over one transport, ready to be used."""
    if request.param == "path":
        yield str(root / "ledger")
    elif request.param == "file":
        yield f"file://{root}/ledger"
    elif request.param == "http":
        config = tmp_path / "server.toml"
        config.write_text(CONFIG)
        person.environment["EVGIT_TOKEN"] = TOKEN
        with serving(root, "--config", str(config)) as url:
            yield f"{url}/ledger"
    else:
        with ssh_host(tmp_path / "ssh") as (command, host):
            person.environment["EVGIT_SSH_COMMAND"] = command
            yield (
                f"{host}:{root}/ledger" if request.param == "scp" else f"ssh://{host}{root}/ledger"
            )


def root_of(person: Person, at: str) -> str:
    shown = json.loads(person("show", "--json", "HEAD", at=at))
    return str(shown["log"]["root"])


def test_two_machines(person: Person, address: str, root: Path) -> None:
    """Clone twice, commit on both, push, be refused, pull, resolve: equal histories in the end."""
    person("clone", address, "one")
    person("clone", address, "two")
    assert root_of(person, "one") == root_of(person, "two")

    person.commit("a-1", at="one")
    person.commit("b-1", at="one")
    assert "2 commits, 2 events" in person("push", at="one")

    person.commit("c-1", at="two")
    refused = person("push", at="two", code=4)
    assert "not here" in refused
    assert "evgit pull" in refused

    person("pull", at="two")
    assert "push" in person("status", at="two")
    person("push", at="two")
    person.commit("d-1", at="one")
    assert "re-appended" in person("pull", "--reappend", at="one")
    person("push", at="one")
    assert "forward" in person("pull", "--ff-only", at="two")
    assert person("rev-parse", "main", at="one") == person("rev-parse", "main", at="two")
    assert root_of(person, "one") == root_of(person, "two") == root_of(person, str(root / "ledger"))

    # The same stream on both sides, and no model: somebody has to decide.
    person.commit("e-1", at="one")
    person.commit("e-1", at="two")
    person("push", at="one")
    assert "both sides" in person("pull", at="two", code=1)
    assert "merge" in person("status", at="two")
    person("resolve", "--accept", "e-1", at="two")
    person("merge", "--continue", at="two")
    person("push", at="two")
    person("pull", at="one")
    assert root_of(person, "one") == root_of(person, "two") == root_of(person, str(root / "ledger"))
    for at in ("one", "two", str(root / "ledger")):
        assert "All is well" in person("fsck", at=at)


def test_a_shallow_clone_takes_part(person: Person, address: str, root: Path) -> None:
    """Clone the end of it, work and push, fetch more of it, then all of it: equal in the end."""
    person("clone", address, "whole")
    for name in ("a-1", "b-1", "c-1"):
        person.commit(name, at="whole")
    person("push", at="whole")
    assert "2 commits" in person("clone", "--depth", "2", address, "end")
    assert root_of(person, "end") == root_of(person, "whole")
    person.commit("d-1", at="end")
    person("push", at="end")
    assert "1 commit" in person("fetch", "--deepen", "1", at="end")
    assert "Not here" in person("fsck", at="end")
    person("pull", at="whole")
    assert person("ls-tree", "HEAD", at="end") == person("ls-tree", "HEAD", at="whole")
    person("fetch", "--unshallow", at="end")
    assert person("rev-list", "main", at="end") == person("rev-list", "main", at="whole")
    assert "Not here" not in person("fsck", at="end")


def test_https_with_a_certificate(person: Person, root: Path, tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = f"-keyout {key} -out {cert} -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    command = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 {made}"
    subprocess.run(command.split(), check=True, capture_output=True)
    with serving(root, "--cert", str(cert), "--key", str(key)) as url:
        assert url.startswith("https://")
        refused = person("clone", f"{url}/open", "unknown", code=7)
        assert "certificate" in refused
        assert not (tmp_path / "unknown").exists()
        person.environment["EVGIT_CERTIFICATES"] = str(cert)
        person("clone", f"{url}/open", "known")


# ---------------------------------------------------------------- who may do what over HTTP
@pytest.fixture
def url(root: Path, tmp_path: Path) -> Iterator[str]:
    config = tmp_path / "server.toml"
    config.write_text(CONFIG + "\nmax_body_bytes = 100000\nmax_header_bytes = 4096\n")
    # Plain settings stand before the tables in TOML.
    text = config.read_text()
    config.write_text(
        "max_body_bytes = 100000\nmax_header_bytes = 4096\nsilent_seconds = 1\n" + CONFIG
    )
    assert text
    with serving(root, "--config", str(config)) as url:
        yield url


@pytest.mark.parametrize(
    ("name", "token", "code", "said"),
    [
        ("ledger", None, 7, "a valid token is needed"),
        ("ledger", "guessed", 7, "a valid token is needed"),
        ("ledger", OLD, 7, "expired"),
        ("secret", TOKEN, 7, "not for this repository"),
        ("absent", None, 7, "a valid token is needed"),
        ("open", None, 0, "300 events"),
        ("ledger", READER, 0, "300 events"),
    ],
)
def test_reading(
    person: Person, url: str, name: str, token: str | None, code: int, said: str, tmp_path: Path
) -> None:
    if token is not None:
        person.environment["EVGIT_TOKEN"] = token
    assert said in person("clone", f"{url}/{name}", "copy", code=code)
    assert (tmp_path / "copy").exists() is (code == 0)


def test_a_token_to_read_does_not_push(person: Person, url: str) -> None:
    person.environment["EVGIT_TOKEN"] = READER
    person("clone", f"{url}/ledger", "copy")
    person.commit("a-1", at="copy")
    assert "may not push" in person("push", at="copy", code=7)
    person.environment["EVGIT_TOKEN"] = TOKEN
    person("push", at="copy")


@pytest.mark.parametrize(
    "path",
    ["../srv/secret", "open/../secret", "%2e%2e/srv/secret", "open/.evgit", "open%00", "//etc"],
)
def test_no_name_leads_out_of_the_root(url: str, path: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as raw:
        raw.sendall(
            f"POST /{path}/evgit HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n"
            "Connection: close\r\n\r\n".encode()
            + b'{"do":"refs"}\n'
        )
        answer = b""
        while more := raw.recv(4096):
            answer += more
    assert answer.split(b" ")[1] in (b"400", b"401", b"404"), answer


def test_what_is_too_large_or_too_slow_is_refused(url: str) -> None:
    big = httpx.post(f"{url}/open/evgit", content=bytes(200_000))
    assert big.status_code == 413
    chunks = (bytes(1000) for _ in range(1000))
    try:
        assert httpx.post(f"{url}/open/evgit", content=chunks).status_code == 413
    except httpx.WriteError:
        pass  # refused before all of it was sent
    headers = {"X-Long": "x" * 100_000}
    try:
        assert httpx.post(f"{url}/open/evgit", content=b"", headers=headers).status_code == 400
    except (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
        pass
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as slow:
        slow.sendall(b"POST /open/evgit HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{")
        assert slow.recv(100).startswith(b"HTTP/1.1 408")


def test_many_slow_clients_hold_nobody_up(root: Path, tmp_path: Path, person: Person) -> None:
    """Some send without end, some take nothing of their answer: more than are answered at once."""
    with Repository.open(root / "open") as repository:
        noise = [
            NewEvent("s-0", "noise_heard", {"n": os.urandom(50_000).hex()}) for _ in range(100)
        ]
        repository.append(noise)
    config = tmp_path / "server.toml"
    config.write_text("max_requests = 3\nsilent_seconds = 2\n" + CONFIG)
    with serving(root, "--config", str(config)) as url:
        host, port = url.removeprefix("http://").split(":")
        ask = b'{"do":"fetch","refs":["refs/heads/"],"settled":true}\n\0\0\0\0'
        head = f"POST /open/evgit HTTP/1.1\r\nHost: x\r\nContent-Length: {len(ask)}\r\n\r\n"
        slow = []
        for number in range(20):
            slow.append(socket.create_connection((host, int(port)), 10))
            slow[-1].sendall(head.encode() + (ask[:5] if number % 4 else ask))
        try:
            for _ in range(20):  # those that take nothing are given up after a while
                if httpx.get(f"{url}/health").text == "ok\n" and "400 events" in _cloned(
                    person, url
                ):
                    break
            else:
                raise AssertionError("an honest client was never served")
        finally:
            for each in slow:
                each.close()


def _cloned(person: Person, url: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "evgit", "clone", f"{url}/open", str(person.directory / "copy")],
        capture_output=True,
        text=True,
        check=False,
        env=person.environment,
    )
    return done.stdout


def test_large_answers_are_made_a_few_at_a_time() -> None:
    """All of one at once, however slowly it is taken; the next begins when it has been made."""
    large, made = LargeAnswers(at_once=1), []

    def body(name: str) -> Iterator[bytes]:
        for _ in range(3):
            made.append(name)
            yield bytes(300_000)

    slow = large.aside(body("slow"))
    first = next(slow)
    assert made == ["slow"] * 3
    assert len(b"".join(large.aside(body("quick")))) == 900_000
    assert len(first) + sum(map(len, slow)) == 900_000

    def failing() -> Iterator[bytes]:
        yield b"x"
        raise StorageFull("no space")

    with pytest.raises(StorageFull):
        list(large.aside(failing()))
    assert len(b"".join(large.aside(body("after")))) == 900_000


def test_who_may_only_read_sends_no_more_than_questions(url: str, root: Path) -> None:
    body = b'{"do":"refs"}\n' + b"\0" * 50_000
    assert httpx.post(f"{url}/open/evgit", content=body).status_code == 200
    assert not (root / "open" / "incoming").exists()


def test_rules_know_people_by_their_tokens(person: Person, url: str, root: Path) -> None:
    person.environment["EVGIT_TOKEN"] = TOKEN
    person("clone", f"{url}/ledger", "copy")
    person.commit("a-1", at="copy")
    person("-C", str(root / "ledger"), "config", "receive.main.writers", "owner")
    refused = person("push", at="copy", code=7)
    assert "main: 'writer' is not among those who may push to it (receive.main.writers)" in refused
    person("-C", str(root / "ledger"), "config", "receive.main.writers", "owner, wri*")
    person("push", at="copy")
    assert "writer" in person("op", "log", "--json", at=str(root / "ledger"))
    assert person("op", "log", "-n", "1", at=str(root / "ledger")).rstrip().endswith(" by writer")


def test_a_forced_command_says_who_it_is(person: Person, root: Path, tmp_path: Path) -> None:
    with ssh_host(tmp_path / "ssh") as (command, host):
        authorized = tmp_path / "ssh" / "authorized"
        forced = f'command="evgit serve --stdio --as till-7 {root}/ledger",restrict '
        authorized.write_text(forced + authorized.read_text())
        person.environment["EVGIT_SSH_COMMAND"] = command
        person("clone", f"{host}:anything", "copy")
        person.commit("a-1", at="copy")
        person("-C", str(root / "ledger"), "config", "receive.main.writers", "ada")
        assert "'till-7' is not among those" in person("push", at="copy", code=7)
        person("-C", str(root / "ledger"), "config", "receive.main.writers", "till-*")
        person("push", at="copy")
        assert "till-7" in person("op", "log", "--json", at=str(root / "ledger"))


def test_the_server_logs_refused_pushes(person: Person, root: Path, tmp_path: Path) -> None:
    """Who (never a token), which repository and refs, why; nothing of what went through."""
    (tmp_path / "server.toml").write_text("max_body_bytes = 100000\n" + CONFIG)
    log: list[str] = []
    with serving(root, "--config", str(tmp_path / "server.toml"), log=log) as url:
        person.environment["EVGIT_TOKEN"] = TOKEN
        person("clone", f"{url}/ledger", "copy")
        person.commit("a-1", at="copy")
        person("push", at="copy")
        person.commit("a-2", at="copy")
        person("-C", str(root / "ledger"), "config", "receive.main.writers", "owner")
        person("push", at="copy", code=7)
        person.environment["EVGIT_TOKEN"] = READER
        person("push", at="copy", code=7)
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        assert httpx.post(f"{url}/ledger/evgit", content=bytes(200_000), headers=bearer).is_error
        assert httpx.post(f"{url}/ledger/evgit", content=bytes(200_000)).status_code == 401
    lines = [json.loads(line) for line in log]
    assert [(line["who"], line["repository"], line["refs"]) for line in lines] == [
        ("writer", "ledger", ["refs/heads/main"]),
        ("reader", "ledger", ["refs/heads/main"]),
        ("writer", "ledger", []),
    ]
    assert "receive.main.writers" in lines[0]["message"]
    assert "may not push" in lines[1]["message"]
    assert "more than 100,000 bytes" in lines[2]["message"]
    assert not any(secret in line for secret in (TOKEN, READER) for line in log)


def test_over_ssh_refused_pushes_stand_in_the_repository(
    person: Person, root: Path, tmp_path: Path
) -> None:
    with ssh_host(tmp_path / "ssh") as (command, host):
        person.environment["EVGIT_SSH_COMMAND"] = command
        person("clone", f"{host}:{root}/ledger", "copy")
        person.commit("a-1", at="copy")
        person("-C", str(root / "ledger"), "config", "receive.main.writers", "owner")
        person("push", at="copy", code=7)
    [line] = (root / "ledger" / "refused.jsonl").read_text().splitlines()
    assert json.loads(line)["refs"] == ["refs/heads/main"]
    assert "All is well" in person("fsck", at=str(root / "ledger"))


def test_over_ssh_a_path_is_one_repository_and_none_above_it(
    person: Person, root: Path, tmp_path: Path
) -> None:
    with ssh_host(tmp_path / "ssh") as (command, host):
        person.environment["EVGIT_SSH_COMMAND"] = command
        (root / "ledger" / "nope").mkdir()
        said = person("clone", f"{host}:{root}/ledger/nope", "copy", code=3)
        assert said == f"evgit: error: there is no evgit repository at {root}/ledger/nope\n"
        assert not (tmp_path / "copy").exists()


def test_idle_connections_hold_nobody_up(url: str, person: Person) -> None:
    host, port = url.removeprefix("http://").split(":")
    idle = [socket.create_connection((host, int(port)), 10) for _ in range(1000)]
    try:
        assert "300 events" in person("clone", f"{url}/open", "copy")
    finally:
        for each in idle:
            each.close()


@pytest.mark.parametrize("said", [b"", b"POST /open/evgit HTTP/1.1\r\nHo"])
def test_a_connection_that_asks_nothing_is_ended(url: str, said: bytes) -> None:
    """Also after an answer, and also one whose question does not come to its end."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 60) as idle:
        idle.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" if said else b"")
        if said:
            answer = b""
            while not answer.endswith(b"ok\n"):
                answer += idle.recv(4096)
        idle.sendall(said)
        assert idle.recv(4096) == b""


def test_a_slow_client_that_goes_on_is_answered(url: str) -> None:
    """It takes longer than it may be silent (a second), a little at a time."""
    host, port = url.removeprefix("http://").split(":")
    pieces = [
        b"POST /open/evgit HTTP/1.1\r\nHost: x\r\n",
        b"Content-Length: 18\r\nConnection: close\r\n\r\n",
        *(bytes([letter]) for letter in b'{"do":"refs"}'),
        b"\n\0\0\0\0",
    ]
    with socket.create_connection((host, int(port)), 60) as slow:
        for piece in pieces:
            slow.sendall(piece)
            time.sleep(0.1)
        assert slow.recv(100).startswith(b"HTTP/1.1 200")


def test_over_standard_input_silence_ends_it(root: Path, person: Person) -> None:
    words = ["evgit", "serve", "--stdio", "--silent-seconds", "0.2", str(root / "open")]
    process = subprocess.Popen(
        [sys.executable, "-m", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=person.environment,
    )
    assert process.wait(60) == 7
    _, said = process.communicate()
    assert b"the other side was silent for 0.2 seconds" in said


def test_the_server_says_how_it_is(url: str) -> None:
    assert httpx.get(f"{url}/health").text == "ok\n"
    httpx.post(f"{url}/open/evgit", content=b'{"do":"refs"}\n\0\0\0\0')
    assert 'evgit_requests_total{status="200"} 1' in httpx.get(f"{url}/metrics").text
    described = httpx.get(f"{url}/openapi.json").json()
    assert described["openapi"].startswith("3.")
    assert "/{repository}/evgit" in described["paths"]
    assert httpx.get(f"{url}/open/evgit").status_code == 405


def test_a_redirect_is_not_followed(person: Person) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-m", "evgit", "ls-remote", f"http://127.0.0.1:{port}/x"],
            stderr=subprocess.PIPE,
            text=True,
            env=person.environment | {"EVGIT_TOKEN": "secret"},
        )
        peer, _ = listening.accept()
        with peer:
            peer.recv(65536)
            peer.sendall(
                b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2/y\r\nContent-Length: 0\r\n\r\n"
            )
        _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "127.0.0.2" in said


def test_a_password_in_an_address_is_refused(person: Person) -> None:
    assert "EVGIT_TOKEN" in person("clone", "https://ada:secret@example.org/x", "copy", code=5)


@pytest.mark.parametrize(
    "address",
    ["ssh://-oProxyCommand=touch${IFS}made/x", "-oProxyCommand=touch made:x", "ssh://host/-x"],
)
def test_no_address_becomes_an_option(person: Person, address: str, tmp_path: Path) -> None:
    person("init", "-q", "r")
    person("remote", "add", "bad", "ssh://example.org/x", at="r")
    done = subprocess.run(
        [sys.executable, "-m", "evgit", "ls-remote", "--", address],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=person.environment | {"EVGIT_SSH_COMMAND": "echo"},
    )
    assert done.returncode in (2, 3, 5, 7), done
    assert not (tmp_path / "made").exists()
    assert "Traceback" not in done.stderr


def test_a_server_logs_history_that_is_gone_once(person: Person, tmp_path: Path) -> None:
    there = tmp_path / "served" / "ledger"
    person("init", "-q", "--bare", str(there))
    person("commit", "-q", "-s", "a-1", "-t", "counted", "n=1", at=str(there))
    older = (there / "evgit.db").read_bytes()
    person("commit", "-q", "-s", "a-1", "-t", "counted", "n=2", at=str(there))
    (there / "evgit.db").write_bytes(older)
    log: list[str] = []
    with serving(there.parent, log=log) as url:
        for _ in range(3):
            person("ls-remote", f"{url}/ledger")
    [line] = [json.loads(line) for line in log]
    assert line["repository"] == "ledger"
    assert sorted(line["lost"]) == ["finished", "found", "noticed", "operation"]
