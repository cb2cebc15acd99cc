"""`assay completion`: a script that completes commands and options in a shell."""

from __future__ import annotations

from typing import Literal

from assay.cli.common import Common


def completion(shell: Literal["bash", "zsh", "fish"], /, *, common: Common = Common()) -> None:
    """Print what makes a shell complete assay's commands and options.

    bash: assay completion bash > ~/.local/share/bash-completion/completions/assay
    zsh:  assay completion zsh > a file called _assay in a folder of $fpath
    fish: assay completion fish > ~/.config/fish/completions/assay.fish

    Parameters
    ----------
    shell
        Which shell.
    """
    from assay.cli.app import build

    script = build().generate_completion(shell=shell)
    common.say({"shell": shell, "script": script}, [script])
