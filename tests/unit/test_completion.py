"""Shells complete commands and flags, by scripts that they can read."""

import shutil
import subprocess
from pathlib import Path

import pytest

from footfall import cli


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell_is_made_and_knows_commands_and_flags(
    shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    script = tmp_path / "script"
    assert cli.run(["--install-completion", "--shell", shell, "--output", str(script)]) == 0
    text = script.read_text()
    for word in ("milestone", "claim", "doctor", "exact", "topology"):
        assert word in text, word
    if found := shutil.which(shell):  # the shell itself reads it, where there is one
        done = subprocess.run([found, "-n", str(script)], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


def test_bash_completes_what_was_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    script = tmp_path / "script"
    assert cli.run(["--install-completion", "--shell", "bash", "--output", str(script)]) == 0
    ask = f"""source {script}
        COMP_WORDS=(footfall mile); COMP_CWORD=1; COMP_LINE="footfall mile"; COMP_POINT=13
        function=$(complete -p footfall | sed 's/.*-F \\([^ ]*\\).*/\\1/')
        $function footfall mile footfall
        echo "${{COMPREPLY[@]}}" """
    done = subprocess.run(["bash", "-c", ask], capture_output=True, text=True)
    assert done.stdout.split() == ["milestone"], done.stderr
