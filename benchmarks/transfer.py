"""How fast files come from a server that is not the limit, beside `aria2c` and `curl --parallel`.

nginx serves random FITS files from memory; each client fetches all of them with the same number of
connections, into a folder on the disk. `engine` is `jwstwatch.transfer` alone: every check, SHA-256, fsync,
rename, fsync of the folder. `run` is the whole `jwstwatch run-now`: start, log in, list, plan, fetch, and the
state database with its intents. The other two check nothing and sync nothing.

Needs Debian's nginx-light, libnginx-mod-http-echo (for the delay), aria2 and curl.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jwstwatch.demo.catalogue import Catalogue
from jwstwatch.demo.content import make_content
from jwstwatch.demo.scaled import scaled_catalogue
from jwstwatch.demo.server import ArchiveServer

ENDINGS = tuple(f"{suffix}.fits" for suffix in ("uncal", "rate", "rateints", "cal", "trapsfilled"))
MODULES = "/usr/lib/nginx/modules"
NGINX = """\
{module}worker_processes 1; pid {folder}/pid; error_log {folder}/error.log; daemon off;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; keepalive_timeout 300;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  map $arg_uri $product {{ ~product(?:/|%2F)(?<name>[^/%]+)$ $name; }}
  server {{
    listen 127.0.0.1:{port}; root {files};
    location / {{ {delay} try_files $uri =404; }}
    location = /api/v0.1/Download/file {{ {delay} rewrite ^ /$product break; }}
    location @late {{ if ($product) {{ rewrite ^ /$product break; }} rewrite ^ $uri break; }}
    location /api/v0/ {{ proxy_pass {archive}; }}
    location /whoami {{ proxy_pass {archive}; }}
    location /portal/ {{ proxy_pass {archive}; }}
  }}
}}
"""
CONFIGURATION = """\
state: {state}/state.db
mast: {{server: "{server}", connections: {connections}}}
defaults: {{outrootdir: {folder}, every: 1d, filetypes: [], max_plan: null}}
profiles: {{all: {{propID: 9001}}}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where the files are, and their names."""

    url: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What fetching everything once took; times in seconds, memory in bytes."""

    seconds: float
    cpu: float
    memory: int


def main() -> None:
    """Measure and print."""
    options = read_options()
    if options.engine:
        fetch(options.engine, json.loads(sys.stdin.read()), options.connections)
        return
    for tool in ("nginx", "aria2c", "curl"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is missing: apt-get install nginx-light libnginx-mod-http-echo aria2 curl")
    for size, what, count, late in (
        (5_000_000, "5 MB", options.large, options.large),
        # What a delay makes of 20,000 files is told by a tenth of them, and of huge ones by nothing.
        (20_000, "20 kB", options.small, options.small // 10),
        (250_000_000, "250 MB", options.huge, 0),
    ):
        for delay in options.delays:
            if files := late if delay else count:
                compare(files, size, what, delay=delay, options=options)


def read_options() -> argparse.Namespace:
    """Return what was typed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--large", type=int, default=400, help="files of 5 MB")
    parser.add_argument("--small", type=int, default=20_000, help="files of 20 kB")
    parser.add_argument("--huge", type=int, default=10, help="files of 250 MB, to see that memory stays flat")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--delays", type=float, nargs="*", default=[0.0, 0.2], help="seconds a request")
    parser.add_argument("--to", type=Path, default=Path(), help="folder on the disk that is meant")
    parser.add_argument("--memory", type=Path, default=Path("/dev/shm"), help="where nginx has its files")
    parser.add_argument("--clients", nargs="*", default=["aria2c", "curl", "engine", "run"])
    parser.add_argument("--engine", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def compare(count: int, size: int, what: str, *, delay: float, options: argparse.Namespace) -> None:
    """Let each client fetch `count` files of `size` bytes in turns; print medians beside aria2c's."""
    clients: Mapping[str, Callable[[Server, Path, int], list[str]]] = {
        "aria2c": aria2c,
        "curl": curl,
        "engine": engine,
        "run": run_now,
    }
    with served(count, size, memory=options.memory, delay=delay) as server:
        took: dict[str, list[Measured]] = {name: [] for name in options.clients}
        for _ in range(options.rounds):
            for name in options.clients:
                with tempfile.TemporaryDirectory(dir=options.to) as folder:
                    took[name].append(measure(clients[name], server, Path(folder), options.connections))
    late = f", {delay * 1000:.0f} ms late" if delay else ""
    print(f"\n{count} files of {what}{late}, {options.connections} connections, {options.rounds} rounds")
    print(f"{'':8} {'seconds':>8} {'files/s':>8} {'MB/s':>7} {'speed':>7} {'CPU s':>7} {'memory':>8}")
    first = statistics.median(entry.seconds for entry in took[options.clients[0]])
    for name, entries in took.items():
        seconds = statistics.median(entry.seconds for entry in entries)
        cpu = statistics.median(entry.cpu for entry in entries)
        memory = max(entry.memory for entry in entries)
        print(
            f"{name:8} {seconds:8.2f} {count / seconds:8.0f} {count * size / seconds / 1e6:7.1f} "
            f"{first / seconds:6.2f}x {cpu:7.2f} {memory / 1e6:5.0f} MB",
            flush=True,
        )


def measure(
    client: Callable[[Server, Path, int], list[str]], server: Server, folder: Path, connections: int
) -> Measured:
    """Run one client into an empty folder; what it left out ends the benchmark."""
    target = folder / "data"
    target.mkdir()
    words = client(server, target, connections)
    os.sync()
    with (target.parent / "input").open("rb") as given, (target.parent / "output").open("wb") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            words, stdin=given, stdout=output, stderr=subprocess.STDOUT, env=environment(folder)
        )
        memory = watch_memory(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    arrived = sum(1 for path in target.rglob("jw*.fits"))
    if process.returncode or arrived != len(server.names):
        said = (target.parent / "output").read_text(errors="replace")[-2000:]
        sys.exit(f"{words[:3]} ended with {process.returncode} and {arrived} files:\n{said}")
    return Measured(seconds=seconds, cpu=usage.ru_utime + usage.ru_stime, memory=memory)


def watch_memory(pid: int) -> int:
    """Wait until a child has ended (it is still to be reaped); return the most memory that it had, in bytes.

    Not the kernel's own figure of an ended child, which counts what it was forked from.
    """
    status = Path(f"/proc/{pid}/status")
    most = 0
    while "\nState:\tZ" not in (text := status.read_text()):
        for line in text.splitlines():
            if line.startswith("VmHWM:"):
                most = int(line.split()[1]) * 1024
        time.sleep(0.01)
    return most


def environment(folder: Path) -> Mapping[str, str]:
    """Return an environment in which nobody's token, proxy or daemon is found."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    no_keyring = "keyring.backends.null.Keyring"
    return kept | {"XDG_RUNTIME_DIR": str(folder), "HOME": str(folder), "PYTHON_KEYRING_BACKEND": no_keyring}


def aria2c(server: Server, folder: Path, connections: int) -> list[str]:
    """Return aria2c's command line, whose input is a list of addresses."""
    (folder.parent / "input").write_text("".join(f"{server.url}/{name}\n" for name in server.names))
    one_each = ["--split=1", "--max-connection-per-server=1", "--file-allocation=none"]
    return ["aria2c", "--quiet", "--input-file=-", f"--dir={folder}", f"-j{connections}", *one_each]


def curl(server: Server, folder: Path, connections: int) -> list[str]:
    """Return curl's command line, whose input is its configuration."""
    lines = (f'url = "{server.url}/{name}"\noutput = "{folder}/{name}"\n' for name in server.names)
    (folder.parent / "input").write_text("".join(lines))
    return ["curl", "--silent", "--parallel", "--parallel-max", str(connections), "--config", "-"]


def engine(server: Server, folder: Path, connections: int) -> list[str]:
    """Return the command line of this program's own transfer engine."""
    (folder.parent / "input").write_text(json.dumps([f"{server.url}/{name}" for name in server.names]))
    return [sys.executable, __file__, "--engine", str(folder), "--connections", str(connections)]


def run_now(server: Server, folder: Path, connections: int) -> list[str]:
    """Return the command line of a whole first run."""
    (folder.parent / "input").touch()
    configuration = folder.parent / "jwstwatch.yaml"
    configuration.write_text(
        CONFIGURATION.format(state=folder.parent, server=server.url, folder=folder, connections=connections)
    )
    return [sys.executable, "-m", "jwstwatch", "run-now", "--config", str(configuration), "--json"]


def fetch(folder: Path, urls: Sequence[str], connections: int) -> None:
    """Fetch `urls` as a run does, but for the database."""
    from jwstwatch.imaging.content import check
    from jwstwatch.transfer import placing
    from jwstwatch.transfer.job import Fetched, Job, TransferSettings
    from jwstwatch.transfer.pool import fetch_all

    def jobs() -> Iterator[Job]:
        for key, url in enumerate(urls):
            name = url.rpartition("/")[2]
            yield Job(key=key, url=url, name=name, target=folder / name)

    arrived: list[Fetched] = []

    def place() -> None:
        for outcome in arrived:
            placing.place(outcome.part, outcome.job.target)
        placing.sync_folders({outcome.job.target.parent for outcome in arrived})
        arrived.clear()

    for outcome in fetch_all(
        jobs(),
        settings=TransferSettings(connections=connections),
        token=lambda: None,
        check=check,
        stop=threading.Event(),
        idle=place,
    ):
        if not isinstance(outcome, Fetched):
            sys.exit(outcome.failure.message)
        arrived.append(outcome)
        if len(arrived) >= 64:
            place()
    place()


@contextmanager
def served(count: int, size: int, *, memory: Path, delay: float) -> Iterator[Server]:
    """Serve that many files while the block lasts, and the listings that name them."""
    catalogue = scaled_catalogue(
        observations=count // len(ENDINGS), now=datetime.now(UTC), files=ENDINGS, sizes=(size, size)
    )
    with tempfile.TemporaryDirectory(dir=memory) as name, ArchiveServer(catalogue) as archive:
        folder = Path(name)
        files = folder / "files"
        files.mkdir()
        fill(files, catalogue)
        with nginx(folder, files, archive=archive.url, delay=delay) as url:
            yield Server(url=url, names=tuple(product.name for product in catalogue.products))


def fill(files: Path, catalogue: Catalogue) -> None:
    """Write every product's content where nginx finds it, readable for its worker."""
    for folder in (files.parent, files):
        folder.chmod(0o755)
    observations = {observation.obs_id: observation for observation in catalogue.observations}
    for product in catalogue.products:
        holder = observations[product.holders[0]]
        (files / product.name).write_bytes(make_content(product, holder))


@contextmanager
def nginx(folder: Path, files: Path, *, archive: str, delay: float) -> Iterator[str]:
    """Run nginx while the block lasts."""
    port = free_port()
    text = NGINX.format(
        module=f"load_module {MODULES}/ngx_http_echo_module.so; " if delay else "",
        delay=f"echo_sleep {delay}; echo_exec @late;" if delay else "",
        folder=folder,
        files=files,
        port=port,
        archive=archive,
    )
    (folder / "nginx.conf").write_text(text)
    process = subprocess.Popen(["nginx", "-c", str(folder / "nginx.conf")], stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    """Return a port of the loopback interface that nobody uses."""
    import socket

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until somebody listens, or end the benchmark."""
    import socket

    for _ in range(200):
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    sys.exit("nginx does not start: see its configuration with `nginx -t`")


if __name__ == "__main__":
    main()
