"""The documents are checked against the code."""

import ast
import configparser
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
import typer
from pydantic import BaseModel
from typer.core import TyperGroup

import bench.errors
import central.__main__
import central.errors
import central.metrics
import deploy.errors
import edge.__main__
import edge.errors
import edge.metrics
from central.config import CentralConfig
from deploy.site.broker_refusals import REASONS
from edge.config import EdgeConfig
from edge.ingest.broker_refusals import QUEUE_FULL
from edge.ingest.decoded import Reason
from edge.ingest.listener.endings import REFUSALS
from shared.domain.samples import Quality
from shared.domain.topics import Channel
from shared.errors import HeadframeError
from shared.ids import Kind

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PACKAGES = ("bench", "central", "deploy", "edge", "shared")
PROMISES = 10
LINK = re.compile(r"\[[^\]]+\]\((?!https?:|#|mailto:)([^)#\s]+)(?:#[^)]*)?\)")


def read(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield every key of a configuration as ``section.key``."""
    for name, field in model.model_fields.items():
        kinds = (field.annotation, *get_args(field.annotation))
        section = next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), None)
        if section is None:
            yield f"{prefix}{name}"
        else:
            yield from keys(section, f"{prefix}{name}.")


@pytest.mark.parametrize("model", [EdgeConfig, CentralConfig])
def test_every_configuration_key_is_documented(model: type[BaseModel]) -> None:
    text = read("configuration.md")
    assert [key for key in keys(model) if f"`{key}`" not in text] == []


def invariants() -> dict[int, str]:
    sections = re.split(r"^### (\d+)\. ", read("ARCHITECTURE.md"), flags=re.MULTILINE)
    return {int(number): body for number, body in zip(sections[1::2], sections[2::2], strict=True)}


def test_every_promise_is_an_invariant() -> None:
    assert sorted(invariants()) == list(range(1, PROMISES + 1))


@pytest.mark.parametrize("number", range(1, PROMISES + 1))
def test_every_invariant_names_its_guards(number: int) -> None:
    body = invariants()[number].split("\n## ")[0]
    guards = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", body)
    assert guards or "not yet" in body.lower()
    for file, test in guards:
        assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file}::{test}"


def documents() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    targets = LINK.findall(document.read_text(encoding="utf-8"))
    assert [t for t in targets if not (document.parent / t).resolve().exists()] == []


def test_contract_names_every_kind_and_channel() -> None:
    text = read("contract.md")
    assert [word for word in (*Kind, *Channel) if f"`{word}`" not in text] == []


def test_contract_names_every_quality_and_refusal() -> None:
    text = read("contract.md")
    words = [q.name.lower() for q in Quality if q and q.name] + [reason.value for reason in Reason]
    assert [word for word in words if f"`{word}`" not in text] == []


def test_contract_and_page_have_words_for_every_refusal_of_the_broker() -> None:
    text = read("contract.md")
    page = (ROOT / "shared/pages/src/domain/refusals.ts").read_text(encoding="utf-8")
    words = page.split("BROKER_REASONS")[1]
    reasons = (*REASONS, QUEUE_FULL, *REFUSALS)
    assert [one for one in reasons if f"`{one}`" not in text or f"  {one}: " not in words] == []


def all_errors(root: type[HeadframeError]) -> Iterator[type[HeadframeError]]:
    for error in root.__subclasses__():
        yield error
        yield from all_errors(error)


def test_every_error_code_is_documented() -> None:
    # Imported here, or their subclasses would not be there to see.
    modules = (bench.errors, central.errors, deploy.errors, edge.errors)
    errors = list(all_errors(HeadframeError))
    text = read("errors.md")
    assert {module.__name__ for module in modules} <= {error.__module__ for error in errors}
    assert [error.__name__ for error in errors if f"`{error.code}`" not in text] == []


def test_every_command_is_documented() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    commands = project["entry-points"]["headframe.commands"]
    text = read("contract.md")
    assert [name for name in commands if f"`headframe {name}" not in text] == []


def subcommands(app: typer.Typer) -> Iterator[str]:
    """Yield what may be typed behind a program's name."""
    found = typer.main.get_command(app)
    assert isinstance(found, TyperGroup)
    for name, command in found.commands.items():
        if isinstance(command, TyperGroup):
            yield from (f"{name} {each}" for each in command.commands)
        else:
            yield name


@pytest.mark.parametrize(
    ("program", "app"),
    [("headframe-edge", edge.__main__.app), ("headframe-central", central.__main__.app)],
)
def test_every_subcommand_is_documented(program: str, app: typer.Typer) -> None:
    (row,) = re.findall(rf"^\| `{program} (.*?) \|", read("contract.md"), re.MULTILINE)
    told = re.sub(r"`| [A-Z]+", "", row).split(" · ")  # without the names of arguments
    assert sorted(subcommands(app)) == sorted(told)


def contracts() -> Iterator[tuple[str, list[str]]]:
    """Yield the packages of .importlinter with their layers from the top."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / ".importlinter")
    for section in parser.values():
        if "containers" in section:
            yield section["containers"], re.findall(r"\w+", section["layers"])


@pytest.mark.parametrize(("package", "layers"), [*contracts()])
def test_the_layers_are_those_that_are_checked(package: str, layers: list[str]) -> None:
    (row,) = re.findall(rf"^\| `{package}` \| (.*) \|$", read("ARCHITECTURE.md"), re.MULTILINE)
    assert re.findall(r"`(\w+)`", row) == layers


def test_who_says_pure_is_held_to_it() -> None:
    parser = configparser.ConfigParser()
    parser.read(ROOT / ".importlinter")
    checked = parser["importlinter:contract:pure"]["source_modules"].split()
    files = [f for package in PACKAGES for f in sorted((ROOT / package).rglob("*.py"))]
    pure = [
        ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for file in files
        if re.search(r"\bPure\b", ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "")
    ]
    assert [m for m in pure if not any(f"{m}.".startswith(f"{c}.") for c in checked)] == []


def test_every_metric_is_documented() -> None:
    text = read("metrics.md")
    names: set[str] = set()
    for module in (central.metrics, edge.metrics):
        source = Path(str(module.__file__)).read_text(encoding="utf-8")
        names |= set(re.findall(r'"(headframe_\w+)"', source))
    assert names
    assert sorted(name for name in names if f"`{name}`" not in text) == []
