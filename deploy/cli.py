"""The `headframe` command: each part adds its own by an entry point.

None is imported before it is asked for, so that a broken or heavy part costs the others nothing.
"""

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from shared.version import version_option

GROUP = "headframe.commands"


class EntryPointCommands(TyperGroup):
    """Finds commands in the entry-point group, on demand."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands, sorted."""
        return sorted({*super().list_commands(ctx), *_points()})

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command ``cmd_name``, None if there is none."""
        point = _points().get(cmd_name)
        if point is None:
            return super().get_command(ctx, cmd_name)
        try:
            return _command(cmd_name, point.load())
        except (ImportError, AttributeError) as error:
            return _command(cmd_name, _unavailable(cmd_name, error))


app = typer.Typer(
    cls=EntryPointCommands,
    no_args_is_help=True,
    help="Headframe: a whole mine site in the foreground, its simulator, replay and bench.",
    epilog="Example: headframe up --state ./.state",
    pretty_exceptions_show_locals=False,  # locals hold passwords
)


@app.callback()
def _headframe(_shown: Annotated[bool, version_option("headframe")] = False) -> None:
    pass


def main() -> None:
    """Run the command line."""
    app()


def _points() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _unavailable(name: str, error: Exception) -> Callable[[], None]:
    def command() -> None:
        typer.echo(f"headframe {name}: not part of this installation: {error}", err=True)
        raise typer.Exit(1)

    command.__doc__ = f"Not part of this installation ({error})."
    return command


def _command(name: str, found: Any) -> Any:
    if not isinstance(found, typer.Typer):
        wrapped = typer.Typer()
        wrapped.command(name)(found)
        found = wrapped
    command = typer.main.get_command(found)
    command.name = name
    return command
