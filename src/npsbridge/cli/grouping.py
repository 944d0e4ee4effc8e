"""The verbs as a group of Typer's, whose releases end some of them differently from each other."""

from typing import Any

import typer
from typer.core import TyperGroup

from npsbridge.cli.ending import INTERRUPTED, told


class Verbs(TyperGroup):
    """The verbs; takes out of Typer's hands what its releases end differently."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb that was asked for."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except OSError as error:
            raise typer.Exit(told(error)) from None


def explain_if_alone(context: typer.Context) -> None:
    """Print the help of a group whose name was given without a verb."""
    if context.invoked_subcommand is None:
        print(context.get_help())
