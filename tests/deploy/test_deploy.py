"""The files for running a server elsewhere: read, not run; what they say must fit what we have."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from everfit.faces.http.routes.table import ROUTES
from everfit.faces.http.telemetry.metrics import HELP
from everfit.live.beside.gauges import ABOUT
from everfit.settings import read_settings

DEPLOY = Path(__file__).parents[2] / "deploy"


def documents() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))


def of_kind(kind: str) -> dict[str, Any]:
    return next(item for item in documents() if item["kind"] == kind)


def test_the_settings_of_the_composed_server_are_settings_that_we_have() -> None:
    settings = read_settings(DEPLOY / "everfit.toml", environ={})

    assert settings.serve["host"] == "0.0.0.0"
    assert settings.serve["require_token"] is True


def test_the_settings_in_the_kubernetes_file_are_settings_that_we_have(tmp_path: Path) -> None:
    file = tmp_path / "everfit.toml"
    file.write_text(of_kind("ConfigMap")["data"]["everfit.toml"])

    settings = read_settings(file, environ={})

    assert settings.serve["require_token"] is True
    mounts = of_kind("StatefulSet")["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    spool = next(mount["mountPath"] for mount in mounts if mount["name"] == "spool")
    assert settings.serve["spool"] == spool


def test_probes_ask_routes_that_need_no_token_and_the_port_that_is_served() -> None:
    container = of_kind("StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    settings = of_kind("ConfigMap")["data"]["everfit.toml"]
    probes = [container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")]

    known = {route.path for route in ROUTES}
    assert {probe["path"] for probe in probes} <= known
    assert f"port = {container['ports'][0]['containerPort']}" in settings
    for probe in probes:
        assert probe["httpHeaders"] == [{"name": "Host", "value": "localhost"}]
    assert '"localhost"' in settings


def test_the_record_of_each_replica_comes_back_to_it_after_a_restart() -> None:
    names = {
        claim["metadata"]["name"]
        for claim in of_kind("StatefulSet")["spec"]["volumeClaimTemplates"]
    }

    assert names == {"spool"}


def test_the_composed_services_mount_files_that_are_there() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    paths = [
        volume.split(":")[0]
        for service in services.values()
        for volume in service.get("volumes", ())
        if volume.startswith("./")
    ]

    assert paths
    assert all((DEPLOY / path).is_file() for path in paths)
    assert services["everfit"]["stop_grace_period"] == "30s"


def test_no_port_is_published_beyond_loopback() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    ports = [port for service in services.values() for port in service.get("ports", ())]

    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_alerts_ask_for_metrics_that_the_server_gives() -> None:
    text = (DEPLOY / "alerts.yml").read_text()
    asked = set(re.findall(r"\beverfit_\w+", text))

    assert asked
    assert {re.sub(r"_bucket$", "", name) for name in asked} <= {*HELP, *ABOUT}


def test_the_image_copies_files_that_are_there() -> None:
    text = (DEPLOY / "Containerfile").read_text()
    copied = [
        name
        for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE)
        for name in line.split()[:-1]
    ]

    assert copied
    assert all((DEPLOY.parent / name).exists() for name in copied)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_the_unit_is_one_that_systemd_reads(tmp_path: Path) -> None:
    # the program is not installed where the unit looks for it
    text = (DEPLOY / "everfit.service").read_text()
    unit = tmp_path / "everfit.service"
    unit.write_text(text.replace("/opt/everfit/bin/everfit", "/bin/true"))

    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60
    )

    assert (done.returncode, done.stderr) == (0, "")
