"""`npsbridge deploy`: a container file, Kubernetes manifests and the systemd unit, to use and to change."""

import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from jinja2 import Environment, StrictUndefined

from npsbridge import __version__
from npsbridge.cli.shipped import shipped, write_into
from npsbridge.cli.show import console, print_json, readable
from npsbridge.errors import UsageError
from npsbridge.settings.model import GeneralSettings

StoreKind = Literal["sqlite", "postgres"]

USER: Final = 10_001
"""Of nobody else, in the container."""
PRE_STOP: Final = 5
"""Seconds that load balancers get to notice that a pod is going."""
LAST_ANSWERS: Final = 25
"""Seconds between the end of SHUTDOWN_TIMEOUT and being killed: requests under way, and the store's last writes."""
PRIVATE: Final = frozenset({"kubernetes/secret.yaml"})
_FILES: Final = {
    "Dockerfile": "Dockerfile",
    ".dockerignore": "dockerignore",
    "npsbridge.service": "npsbridge.service",
    **{
        f"kubernetes/{name}.yaml": f"kubernetes/{name}.yaml"
        for name in ("kustomization", "configmap", "secret", "deployment", "service", "poddisruptionbudget")
    },
}
"""By the name to write: the file in the package."""
_OF_SQLITE: Final = {"kubernetes/persistentvolumeclaim.yaml": "kubernetes/persistentvolumeclaim.yaml"}
_IMAGE: Final = re.compile(r"[a-z0-9][A-Za-z0-9._/:@-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the operator wants."""

    store: StoreKind
    image: str = f"npsbridge:{__version__}"
    replicas: int | None = None


def write_deployment(folder: Path, wish: Wish, *, force: bool, as_json: bool) -> None:
    """Write the files and say what to do with them.

    Raises:
        UsageError: they are there already, or do not fit together.
    """
    texts = deployment(wish)
    write_into(folder, texts, force=force, private=PRIVATE)
    if as_json:
        print_json([str((folder / name).resolve()) for name in texts])
    else:
        _print(folder, wish)


def deployment(wish: Wish) -> dict[str, str]:
    """The files by name; token and write key are new each time.

    Raises:
        UsageError: several replicas cannot share a SQLite store, or the image's name is none.
    """
    if wish.store == "sqlite" and (wish.replicas or 1) > 1:
        raise UsageError(f"--replicas {wish.replicas}: a SQLite store has one daemon; --store postgres has many")
    if not _IMAGE.fullmatch(wish.image):
        raise UsageError(f"--image {wish.image}: not like registry.example.com/npsbridge:{__version__}")
    files = _FILES | (_OF_SQLITE if wish.store == "sqlite" else {})
    return {name: _rendered(kept, wish) for name, kept in files.items()}


def _rendered(kept: str, wish: Wish) -> str:
    # What is written is YAML and a Dockerfile, no web page; values are checked before they get here.
    templates = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)  # noqa: S701
    return templates.from_string(shipped("deploy", kept)).render(_values(wish))


def _values(wish: Wish) -> dict[str, Any]:
    shutdown_timeout = int(GeneralSettings().shutdown_timeout)
    return {
        "store": wish.store,
        "image": wish.image,
        "replicas": wish.replicas or 2,
        "extras": "fast,postgres" if wish.store == "postgres" else "fast",
        "version": __version__,
        "user": USER,
        "pre_stop": PRE_STOP,
        "shutdown_timeout": shutdown_timeout,
        "grace": PRE_STOP + shutdown_timeout + LAST_ANSWERS,
        "admin_token": secrets.token_urlsafe(32),
        "write_key": secrets.token_urlsafe(24),
    }


def _print(folder: Path, wish: Wish) -> None:
    lines = (
        f"{folder / 'Dockerfile'}: put the wheel beside it, then build:",
        f"  pip wheel --no-deps --wheel-dir {folder} SOURCE     # SOURCE: a checkout, or npsbridge=={__version__}",
        f"  docker build --tag {wish.image} {folder}",
        f"{folder / 'kubernetes'}: put your keys into secret.yaml (it holds two already), look at the rest, then:",
        f"  kubectl apply --kustomize {folder / 'kubernetes'}",
        f"{folder / 'npsbridge.service'}: for machines without containers; its first lines say how to install it.",
    )
    for text in lines:
        console().print(readable(text), soft_wrap=True)
