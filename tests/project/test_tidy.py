"""Style rules as tests: what no linter says. Each rule has a small test of its own."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("edge", "central", "shared", "deploy", "bench")
MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
README_LINES_MAX = 120
FILE_SIZE_MAX_BYTES = 700_000  # a screenshot; anything larger is data, which does not belong here
BANNED_MODULES = frozenset(
    [
        "utils",
        "util",
        "helpers",
        "helper",
        "common",
        "misc",
        "manager",
        "service",
        "services",
        "handler",
        "handlers",
        "base",
    ]
)
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|farm|root|home/\w+)/")
REGISTRY_ADDRESS = re.compile(r'"resolved": *"http|--(?:extra-)?index-url|registry *= *"?http')
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|NotImplementedError)\b|pragma: no cover")
EXECUTABLES = ("deploy/up", "tests/run", ".ci/run")


def committed_files() -> list[Path]:
    """Every file git knows or would know, as paths from the root."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [Path(name) for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def modules() -> list[Path]:
    """Every Python module of the product, as paths from the root."""
    return [f for f in committed_files() if f.suffix == ".py" and f.parts[0] in PACKAGES]


def long_functions(source: str) -> Iterator[str]:
    """Yield the functions of ``source`` that do not fit a screen."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield f"{node.name} ({lines} lines)"


def texts() -> Iterator[tuple[Path, str]]:
    """Yield every committed text file with its content."""
    for file in committed_files():
        try:
            yield file, (ROOT / file).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def test_rule_of_long_functions_finds_one() -> None:
    body = "\n".join("    x = 1" for _ in range(FUNCTION_LINES_MAX))
    assert list(long_functions(f"def f():\n{body}\n")) == ["f (61 lines)"]


# Put together here, so that the rule holds for this file too.
@pytest.mark.parametrize(
    "parts", [("see ", "root", "x"), ("path=", "work", "a"), ("in ", "home", "ann", "b")]
)
def test_rule_of_machine_paths_finds(parts: tuple[str, ...]) -> None:
    assert MACHINE_PATH.search("/".join(parts))


@pytest.mark.parametrize(
    "parts", [("https://a.b", "work", "x"), (".", ".state", "work", ""), ("artwork", "")]
)
def test_rule_of_machine_paths_passes(parts: tuple[str, ...]) -> None:
    assert not MACHINE_PATH.search("/".join(parts))


def test_modules_fit_their_limit() -> None:
    too_long = [
        f"{module}: {count}"
        for module in modules()
        if (count := (ROOT / module).read_text(encoding="utf-8").count("\n")) > MODULE_LINES_MAX
    ]
    assert too_long == []


def test_functions_fit_a_screen() -> None:
    too_long = [
        f"{module}: {function}"
        for module in modules()
        for function in long_functions((ROOT / module).read_text(encoding="utf-8"))
    ]
    assert too_long == []


def test_modules_are_named_by_nouns_of_the_mine() -> None:
    named_badly = [
        str(module)
        for module in modules()
        if module.stem in BANNED_MODULES or BANNED_MODULES & set(module.parts)
    ]
    assert named_badly == []


def test_packages_hold_a_docstring_and_nothing_else() -> None:
    with_code = [
        str(module)
        for module in modules()
        if module.name == "__init__.py"
        and len(ast.parse((ROOT / module).read_text(encoding="utf-8")).body) != 1
    ]
    assert with_code == []


def test_nothing_is_left_unfinished() -> None:
    marks = [
        f"{module}: {line.strip()}"
        for module in modules()
        for line in (ROOT / module).read_text(encoding="utf-8").splitlines()
        if UNFINISHED.search(line)
    ]
    assert marks == []


def test_no_file_names_a_machine_or_a_registry() -> None:
    found = [
        f"{file}: {pattern.pattern}"
        for file, text in texts()
        for pattern in (MACHINE_PATH, REGISTRY_ADDRESS)
        if pattern.search(text)
    ]
    assert found == []


def test_no_large_file_is_committed() -> None:
    large = [str(f) for f in committed_files() if (ROOT / f).stat().st_size > FILE_SIZE_MAX_BYTES]
    assert large == []


def test_commands_can_be_run() -> None:
    assert [name for name in EXECUTABLES if not (ROOT / name).stat().st_mode & 0o100] == []


def test_readme_is_short() -> None:
    assert (ROOT / "README.md").read_text(encoding="utf-8").count("\n") < README_LINES_MAX


def test_locks_carry_hashes_and_no_address() -> None:
    for lock in ("run", "dev", "build"):
        text = (ROOT / "deploy" / "locks" / f"{lock}.txt").read_text(encoding="utf-8")
        pins = re.findall(r"^[a-z0-9][a-z0-9._-]*(?:\[[a-z,]+\])?==", text, re.MULTILINE)
        assert len(pins) > 0
        assert text.count("--hash=sha256:") >= len(pins)
        assert "http" not in re.sub(r"aiohttp\S*|httpcore|httpx", "", text)


def test_every_decision_is_indexed() -> None:
    folder = ROOT / "docs" / "adr"
    index = (folder / "README.md").read_text(encoding="utf-8")
    decisions = sorted(f.name for f in folder.glob("[0-9]*.md"))
    assert decisions
    assert [name for name in decisions if name not in index] == []


def test_tests_use_no_mocks() -> None:
    forbidden = re.compile(r"unittest\.mock|MagicMock|AsyncMock|monkeypatch\.setattr\(time")
    this = Path(__file__).relative_to(ROOT)
    found = [
        str(f)
        for f, text in texts()
        if f.parts[0] == "tests" and f != this and forbidden.search(text)
    ]
    assert found == []
