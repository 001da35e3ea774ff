"""Print the completion script of a shell.

Put the right one of these lines into the shell's start-up file:

    eval "$(evgit completion bash)"          ~/.bashrc
    eval "$(evgit completion zsh)"           ~/.zshrc, after compinit
    evgit completion fish | source           ~/.config/fish/config.fish

Commands, options, branches, tags and streams are completed.
"""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from evgit.cli.command import documented
from evgit.cli.invocation import Invocation
from evgit.errors import UsageError

SHELLS = ("bash", "zsh", "fish")


@documented(__doc__, "completion")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    found = get_completion_class(shell)
    if found is None:
        raise UsageError(
            f"there is no completion for {shell!r}", hint="bash, zsh and fish have one"
        )
    program = context.find_root()
    script = found(program.command, {}, "evgit", "_EVGIT_COMPLETE").source()
    invocation: Invocation = context.obj
    with invocation.output() as output:
        output.line(script)
