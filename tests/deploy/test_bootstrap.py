"""Environments are made once, remade when they must be, and never half."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from deploy import bootstrap
from deploy.bootstrap import (
    BootstrapError,
    Environment,
    build_pages,
    count_pins,
    create,
    digest,
    exclusive,
    find_npm,
    main,
    make_environment,
    node_major,
    page_sources,
    run_logged,
    stamp,
    stamped,
)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty checkout with a lock that pins nothing."""
    (tmp_path / "deploy" / "locks").mkdir(parents=True)
    (tmp_path / "deploy" / "locks" / "none.txt").write_text("")
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.setattr(bootstrap, "CHECKOUT", tmp_path)
    return tmp_path


EMPTY = Environment("empty", "none.txt", with_project=False)


def program(file: Path, script: str) -> Path:
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


@pytest.fixture
def made(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was made, where the slow steps only leave their traces."""
    steps: list[str] = []

    def quick_create(environment: Environment) -> None:
        steps.append("create")
        environment.python.parent.mkdir(parents=True, exist_ok=True)
        environment.python.touch()
        for file in environment.folder.glob(".*.stamp"):
            file.unlink()

    def quick_install(environment: Environment, what: list[str], steps_count: int) -> None:
        steps.append(what[0])

    monkeypatch.setattr(bootstrap, "create", quick_create)
    monkeypatch.setattr(bootstrap, "install", quick_install)
    return steps


WHOLE = Environment("whole", "none.txt", with_project=True)
FIRST = ["create", "--require-hashes", "--no-deps"]


def test_an_environment_is_made_once(made: list[str]) -> None:
    for _ in range(2):
        make_environment(WHOLE)
    assert made == FIRST


def test_a_changed_lock_remakes_it(checkout: Path, made: list[str]) -> None:
    make_environment(WHOLE)
    (checkout / "deploy" / "locks" / "none.txt").write_text("# changed\n")
    make_environment(WHOLE)
    assert made == FIRST * 2


def test_changed_commands_only_install_the_project_again(checkout: Path, made: list[str]) -> None:
    make_environment(WHOLE)
    (checkout / "pyproject.toml").write_text("[project.scripts]")
    make_environment(WHOLE)
    assert made == [*FIRST, "--no-deps"]


def test_an_interrupted_install_begins_again(
    made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(environment: Environment, what: list[str], steps_count: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(bootstrap, "install", interrupted)
        with pytest.raises(KeyboardInterrupt):
            make_environment(WHOLE)
    make_environment(WHOLE)
    assert made == ["create", *FIRST]


@pytest.mark.slow
def test_a_real_environment_refuses_a_package_without_its_hash(checkout: Path) -> None:
    (checkout / "evil").mkdir()
    (checkout / "evil" / "setup.py").write_text("raise SystemExit('ran')")
    (checkout / "deploy" / "locks" / "none.txt").write_text(f"{checkout}/evil\n")
    with pytest.raises(BootstrapError, match=r"pip .*failed(.|\n)*hash"):
        make_environment(EMPTY)
    assert EMPTY.python.exists()


def test_a_moved_checkout_is_another_one(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digest(b"lock")
    monkeypatch.setattr(bootstrap, "CHECKOUT", tmp_path / "elsewhere")
    assert digest(b"lock") != before


def test_a_disk_without_room_is_told_first(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "FREE_SPACE_MIN_BYTES", 2**62)
    with pytest.raises(BootstrapError, match=r"MB free, .* MB are needed"):
        create(EMPTY)


def test_a_python_without_venv_is_told_what_to_install(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = program(checkout / "python", "echo 'ensurepip is not available'; exit 1")
    monkeypatch.setattr(sys, "executable", str(bare))
    with pytest.raises(BootstrapError, match="apt install python3-venv"):
        create(EMPTY)


def test_a_failing_step_shows_the_end_of_its_output(checkout: Path) -> None:
    (checkout / ".venv").mkdir()
    with pytest.raises(BootstrapError, match=r"failed \(3\); log: .*step\.log\n  \| the reason"):
        run_logged(["/bin/sh", "-c", "echo the reason; exit 3"], checkout, "step", 0)


def test_a_missing_program_is_named(checkout: Path) -> None:
    with pytest.raises(BootstrapError, match=r"no-such-program: (No such file|Permission denied)"):
        run_logged(["no-such-program"], checkout, "step", 0)


def test_two_at_once_wait_for_each_other(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    order: list[str] = []

    def second() -> None:
        with exclusive("x"):
            order.append("second")

    with exclusive("x"):
        other = threading.Thread(target=second)
        other.start()
        while "waiting" not in capsys.readouterr().err:
            other.join(0.01)
        order.append("first")
    other.join()
    assert order == ["first", "second"]


def pages(checkout: Path) -> Path:
    folder = checkout / "shared" / "pages"
    (folder / "src").mkdir(parents=True)
    (folder / "package-lock.json").write_text("{}")
    (folder / "src" / "main.ts").write_text("1")
    for part in ("central", "edge"):
        (checkout / part / "static").mkdir(parents=True)
    return folder


BUILD_SCRIPT = """
echo "$@" >> "{log}"
[ "$1" = run ] && touch "{checkout}/central/static/index.html" "{checkout}/edge/static/index.html"
exit 0
"""


@pytest.fixture
def npm_log(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The calls of a stand-in for npm that touches what the build makes."""
    tools = checkout / "tools"
    tools.mkdir()
    log = checkout / "npm.log"
    program(tools / "npm", BUILD_SCRIPT.format(log=log, checkout=checkout))
    program(tools / "node", "echo v22.1.0")
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    return log


def test_pages_are_built_once_and_again_when_a_source_changes(
    checkout: Path, npm_log: Path
) -> None:
    folder = pages(checkout)
    for _ in range(2):
        build_pages()
    assert npm_log.read_text().split("\n") == ["ci --no-audit --no-fund", "run build", ""]
    (folder / "src" / "main.ts").write_text("2")
    build_pages()
    assert npm_log.read_text().count("run build") == 2


def test_pages_are_built_again_where_the_result_is_gone(checkout: Path, npm_log: Path) -> None:
    pages(checkout)
    build_pages()
    (checkout / "edge" / "static" / "index.html").unlink()
    build_pages()
    assert npm_log.read_text().count("run build") == 2


def test_a_failed_build_is_not_taken_for_done(checkout: Path, npm_log: Path) -> None:
    pages(checkout)
    program(checkout / "tools" / "npm", "exit 1")
    for _ in range(2):
        with pytest.raises(BootstrapError, match="npm ci"):
            build_pages()


def test_what_npm_makes_is_no_source(checkout: Path) -> None:
    folder = pages(checkout)
    for made in ("node_modules/a/index.js", "dist/x.js"):
        (folder / made).parent.mkdir(parents=True)
        (folder / made).touch()
    assert [file.name for file in page_sources(folder)] == ["package-lock.json", "main.ts"]


@pytest.mark.usefixtures("made")
def test_an_old_node_is_not_used(checkout: Path, npm_log: Path) -> None:
    program(checkout / "tools" / "node", "echo v18.19.0")
    (checkout / "deploy" / "locks" / "build.txt").write_text("")
    with pytest.raises(BootstrapError, match="brought no node"):
        find_npm()
    assert node_major(str(checkout / "tools" / "node")) == 18


def test_a_node_that_says_nothing_has_no_version(checkout: Path) -> None:
    assert node_major(str(program(checkout / "node", "exit 1"))) == 0
    assert node_major("/no/such/node") == 0


def test_pins_are_counted(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.write_text("a==1 \\\n    --hash=sha256:00\n    # via b==2\nb==2\n# c==3\n")
    assert count_pins(lock) == 2


def test_wrong_usage_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert [main([]), main(["both"]), main(["run", "fast"])] == [2, 2, 2]
    assert "usage: bootstrap.py run|test" in capsys.readouterr().err


def test_a_stamp_counts_only_with_its_interpreter(checkout: Path) -> None:
    EMPTY.folder.mkdir(parents=True)
    stamp(EMPTY, "packages", "x")
    assert not stamped(EMPTY, "packages", "x")


@pytest.mark.parametrize("script", ["deploy/up", "tests/run", ".ci/run"])
def test_the_shell_scripts_are_plain_and_executable(script: str) -> None:
    file = Path(bootstrap.__file__).parents[1] / script
    assert file.stat().st_mode & 0o111
    assert file.read_text().startswith("#!/bin/sh\n")
    subprocess.run(["sh", "-n", str(file)], check=True)


def test_up_says_which_python_it_needs(tmp_path: Path) -> None:
    old = program(tmp_path / "python3", "exit 1")
    up = Path(bootstrap.__file__).with_name("up")
    told = subprocess.run(
        ["/bin/sh", str(up)],
        env={"PATH": "/usr/bin:/bin", "HEADFRAME_PYTHON": str(old)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (told.returncode, "python3 3.11 or later is needed" in told.stderr) == (2, True)
