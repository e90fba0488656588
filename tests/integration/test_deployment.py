"""What stands in deploy/ is valid by its schemas, and every setting in it is one that Footfall takes."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import deployed
import kubernetes_validate
import pytest

from footfall import cli
from footfall.cli.settings import read_secret
from footfall.config import Config
from footfall.log.engine import find_binary
from footfall.web.token_file import TokenFile
from processes import documented_settings

DEPLOY = deployed.DEPLOY
COMPOSE: dict[str, Any] = deployed.documents(DEPLOY / "compose.yaml")[0]
MANIFESTS = [one for name in ("nats", "footfall") for one in deployed.documents(DEPLOY / "kubernetes" / f"{name}.yaml")]
DOCKERFILE = (DEPLOY / "Dockerfile").read_text().replace("\\\n", "")
KUBERNETES = ("1.28", "1.31", "1.34", "1.37")


def containers(kind: str, name: str) -> list[dict[str, Any]]:
    """The containers of a manifest."""
    (found,) = [one for one in MANIFESTS if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    return list(found["spec"]["template"]["spec"]["containers"])


def instructions(name: str) -> list[str]:
    """What the Dockerfile's instructions of a name say."""
    return re.findall(rf"^{name} (.*)$", DOCKERFILE, re.MULTILINE)


def unit(name: str) -> Iterator[tuple[str, str]]:
    """The settings of a systemd unit, in order."""
    for line in (DEPLOY / "systemd" / f"{name}.service").read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            yield key, value


def environments() -> dict[str, dict[str, str]]:
    """What each place gives a node in its environment."""
    image = dict(one.split("=", 1) for one in shlex.split(" ".join(instructions("ENV"))))
    image = {name: value for name, value in image.items() if name.startswith("FOOTFALL_")}
    found = {"Dockerfile": image}
    for name in ("node1", "node2", "node3"):
        found[f"compose {name}"] = image | COMPOSE["services"][name]["environment"]
    (container,) = containers("StatefulSet", "footfall")
    given = {one["name"]: one.get("value", "footfall-0") for one in container["env"]}
    found["kubernetes"] = image | given
    lines = (DEPLOY / "systemd" / "footfall.env").read_text().splitlines()
    commented = dict(line.lstrip("#").split("=", 1) for line in lines if re.match(r"#?FOOTFALL_", line))
    own = [one for key, value in unit("footfall") if key == "Environment" for one in shlex.split(value)]
    found["systemd"] = commented | dict(one.split("=", 1) for one in own if not one.startswith("PYTHON"))
    return found


@pytest.mark.parametrize("place", environments())
def test_every_setting_is_one_that_footfall_takes(
    place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    served: list[Config] = []
    monkeypatch.setattr("footfall.cli.serve.serve", lambda config, nodes, open_: served.append(config))
    secret = tmp_path / "secret"
    secret.write_text("quiet-0123456789")
    for name, value in environments()[place].items():
        assert name.startswith("FOOTFALL_"), name
        monkeypatch.setenv(name, str(secret) if name == "FOOTFALL_SECRET_FILE" else value)
    monkeypatch.setenv("FOOTFALL_TOKENS_FILE", "/run/secrets/tokens")
    assert cli.run(["serve", "--help"]) == 0
    known = set(re.findall(r"FOOTFALL_[A-Z_]+", re.sub(r"[│\s]+", "", capsys.readouterr().out)))
    assert environments()[place].keys() <= known
    assert cli.run(["serve"]) == 0, capsys.readouterr().err
    assert served[0].http_port == 8080
    assert served[0].http_host == "0.0.0.0"


def test_the_compose_file_is_valid_and_names_only_files_that_are_there() -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*check, str(DEPLOY / "compose.yaml")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for config in COMPOSE["configs"].values():
        assert (DEPLOY / config["file"]).is_file()
    for name, service in COMPOSE["services"].items():
        assert service.get("image")
        used = {one["source"] for one in service.get("volumes", [])}
        assert used <= COMPOSE["volumes"].keys()
        assert {one["source"] for one in service.get("configs", [])} <= COMPOSE["configs"].keys()
        assert set(service.get("secrets", [])) <= COMPOSE["secrets"].keys()
        assert "healthcheck" in service or name == "volumes" or name.startswith("node")  # a node's is in its image
        assert set(service.get("depends_on", {})) <= COMPOSE["services"].keys()
    assert COMPOSE["networks"]["log"]["internal"], "nobody else may reach the log: it has no passwords"


@pytest.mark.parametrize("version", KUBERNETES)
def test_the_manifests_are_valid(version: str) -> None:
    for manifest in MANIFESTS:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_the_manifests_hold_together() -> None:
    kinds = {(one["kind"], one["metadata"]["name"]) for one in MANIFESTS}
    for name in ("nats", "footfall"):
        assert {
            ("StatefulSet", name),
            ("PodDisruptionBudget", name),
            ("NetworkPolicy", name),
            ("Service", name),
        } <= kinds
        (container,) = containers("StatefulSet", name)
        assert {"startupProbe", "livenessProbe", "readinessProbe", "resources"} <= container.keys()
        assert container["securityContext"]["readOnlyRootFilesystem"]
    (server,) = containers("StatefulSet", "nats")
    caught_up = server["startupProbe"]["exec"]["command"][-1]  # an update waits for it before it goes on
    assert caught_up.endswith("/healthz"), "with js-server-only a server counts as started before it has caught up"
    for manifest in MANIFESTS:
        if manifest["kind"] == "StatefulSet":
            spec = manifest["spec"]
            assert ("Service", spec["serviceName"]) in kinds
            assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()
            assert spec["template"]["spec"]["securityContext"]["runAsNonRoot"]
            volumes = [
                *spec["template"]["spec"].get("volumes", []),
                *(one["metadata"] for one in spec["volumeClaimTemplates"]),
            ]
            mounted = spec["template"]["spec"]["containers"][0]["volumeMounts"]
            assert {one["name"] for one in mounted} == {one["name"] for one in volumes}
    (monitor,) = deployed.documents(DEPLOY / "kubernetes" / "servicemonitor.yaml")
    labels = {json.dumps(one["metadata"]["labels"], sort_keys=True) for one in MANIFESTS if one["kind"] == "Service"}
    assert json.dumps(monitor["spec"]["selector"]["matchLabels"], sort_keys=True) in labels


def nats_settings(text: str) -> list[str]:
    """A server's settings without comments, names and places."""
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    varies = re.compile(r"(server_name|listen|store_dir|routes|max_file_store)\b.*")
    return [varies.sub(r"\1", line) for line in lines if line]


def test_servers_have_the_settings_that_the_page_on_clusters_tells(tmp_path: Path) -> None:
    (config,) = [one for one in MANIFESTS if one["kind"] == "ConfigMap"]
    for text, environment in (
        ((DEPLOY / "nats" / "nats.conf").read_text(), COMPOSE["services"]["nats1"]["environment"]),
        (
            config["data"]["nats.conf"],
            {one["name"]: one.get("value", "nats-0") for one in containers("StatefulSet", "nats")[0]["env"]},
        ),
    ):
        assert nats_settings(text) == nats_settings(documented_settings())
        assert len(json.loads(environment["NATS_ROUTES"])) == 3
        (tmp_path / "nats.conf").write_text(text)
        check = [find_binary(), "-t", "-c", str(tmp_path / "nats.conf")]
        done = subprocess.run(check, env={**os.environ, **environment}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["footfall", "nats-server"])
def test_systemd_understands_the_units(name: str, tmp_path: Path) -> None:
    settings = dict(unit(name))
    assert settings["Restart"] == "always"
    assert settings["NoNewPrivileges"] == "yes"
    assert name != "footfall" or (settings["Type"], settings["WatchdogSec"]) == ("notify", "30")
    assert name != "footfall" or settings["KillMode"] == "mixed"  # its log and its nodes are for it to stop
    if found := shutil.which("systemd-analyze"):
        text = (DEPLOY / "systemd" / f"{name}.service").read_text()
        text = re.sub(r"^(ExecStart=)\S+", rf"\1{sys.executable}", text, flags=re.MULTILINE)
        (tmp_path / f"{name}.service").write_text(re.sub(r"^(User|Group)=.*", r"\1=daemon", text, flags=re.MULTILINE))
        done = subprocess.run([found, "verify", str(tmp_path / f"{name}.service")], capture_output=True, text=True)
        about = [line for line in done.stderr.splitlines() if f"{name}.service" in line]
        assert (done.returncode, about) == (0, []), done.stderr
        done = subprocess.run(
            [found, "security", "--offline=true", "--threshold=25", str(tmp_path / f"{name}.service")],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout


def test_the_image_is_built_from_what_is_there_and_runs_as_nobody_special() -> None:
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    for copied in instructions("COPY"):
        if not copied.startswith("--from"):
            for source in copied.split()[:-1]:
                assert (deployed.ROOT / source).exists()
                assert f"!{source}" in ignored
    assert instructions("USER") == ["10001:10001"]
    assert instructions("ENTRYPOINT") == ['["footfall"]']
    assert "/healthz" in DOCKERFILE.partition("HEALTHCHECK")[2]
    assert "--require-hashes -r requirements.txt" in DOCKERFILE


def test_what_builds_the_image_is_pinned_and_builds_a_package_that_has_everything(tmp_path: Path) -> None:
    (awk,) = re.findall(r"awk '(.*?)' requirements-dev.txt", DOCKERFILE)
    done = subprocess.run(
        ["awk", awk, "requirements-dev.txt"], cwd=deployed.ROOT, capture_output=True, text=True, check=True
    )
    pinned = {re.split(r"[=\s;]", line)[0] for line in done.stdout.splitlines() if not line.startswith((" ", "#"))}
    required = tomllib.loads((deployed.ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    assert pinned == {*required, "packaging", "pathspec", "pluggy", "tomlkit", "trove-classifiers"}
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(tmp_path),
    ]
    subprocess.run([*build, str(deployed.ROOT)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("footfall-*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    source = deployed.ROOT / "src"
    files = [one for one in source.rglob("*") if one.is_file() and "__pycache__" not in one.parts]
    assert {str(one.relative_to(source)) for one in files if one.suffix != ".pyc"} <= held


def test_the_secrets_that_the_page_makes_are_taken(tmp_path: Path) -> None:
    (block,) = re.findall(r"```sh\n(.*?)```", (deployed.ROOT / "docs" / "deployment.md").read_text(), re.DOTALL)
    subprocess.run(["bash", "-euc", block], cwd=tmp_path, check=True)
    tokens = TokenFile(Config(tokens_file=str(tmp_path / "secrets" / "tokens.toml"))).first()
    assert tokens is not None
    assert len(tokens) == 3
    token = tokens.find((tmp_path / "secrets" / "metrics_token").read_text().strip().encode())
    assert token is not None
    assert (token.name, token.scopes, token.counters) == ("prometheus", frozenset({"read"}), ())
    assert len(read_secret(None, str(tmp_path / "secrets" / "footfall_secret")) or "") == 64
