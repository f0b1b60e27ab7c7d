"""Images: the project's own, the nodes', and the add-ons'; how they reach the nodes."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from cluster import archive, bases, docker, places, programs
from cluster.programs import key_of
from cluster.shell import Failed, run, wait_until

PROJECT = {
    "windtunnel": (
        "containers/windtunnel/Dockerfile",
        "pyproject.toml",
        "requirements.lock",
        "README.md",
        "src",
        "flows",
        "argo_templates",
        "containers/prefect",
    ),
    "windtunnel-samples": ("containers/samples/Dockerfile", "requirements.lock"),
    "windtunnel-openmpi": ("containers/openmpi/Dockerfile", "containers/mpi/requirements.lock"),
    "windtunnel-mpi": ("containers/mpi/Dockerfile", "containers/mpi/requirements.lock"),
}
"""The project's images: the Dockerfile, and what it copies from the checkout."""
_SOURCE = "windtunnel.source"
_ADD_ONS = {
    "coredns": "coredns",
    "metrics-server": "metrics-server",
    "workflow-controller": "argo",
    "argoexec": "argo",
}
# Of one static program; as nobody, since Argo's manifests refuse root.
_ADD_ON = """\
FROM scratch
COPY program /bin/{name}
ENV PATH=/bin
USER {user}
ENTRYPOINT ["/bin/{name}"]
"""


def build_project(say: Callable[[str], None]) -> None:
    """Build the project's images, those that are not of the checkout as it is."""
    sources = {image: source_key(image) for image in PROJECT}
    stale = [image for image in PROJECT if seen(image, f'index .Config.Labels "{_SOURCE}"') != sources[image]]
    if stale:
        bases.provide(say)
    for image in stale:
        say(f"building the image {image}")
        before = seen(image, ".Id")
        label = f"--label={_SOURCE}={sources[image]}"
        run(["docker", "build", "--tag", image, label, "--file", places.CHECKOUT / PROJECT[image][0], places.CHECKOUT])
        if before not in {None, seen(image, ".Id")}:
            remove(str(before))


def source_key(image: str) -> str:
    """Return the key of all that an image is built from."""
    paths = [path for name in PROJECT[image] for path in files_below(places.CHECKOUT / name)]
    return key_of({str(path.relative_to(places.CHECKOUT)): path.read_bytes() for path in paths})


def files_below(path: Path) -> list[Path]:
    """Return a file itself, or all the files of a folder but the compiled ones."""
    if path.is_file():
        return [path]
    return [each for each in path.rglob("*") if each.is_file() and "__pycache__" not in each.parts]


def seen(image: str, what: str) -> str | None:
    """Return something of an image, in Docker's template language; None without the image."""
    try:
        return run(["docker", "image", "inspect", "--format", f"{{{{{what}}}}}", image]).strip()
    except Failed:
        return None


def node_image() -> str:
    """Return the name of the nodes' image."""
    return f"windtunnel-cluster/node:{programs.cluster_key()}"


def build_node(say: Callable[[str], None]) -> None:
    """Build the nodes' image."""
    if seen(node_image(), ".Id") is None:
        bases.provide(say)
        say("building the nodes' image")
        for older in run(["docker", "images", "--quiet", node_image().partition(":")[0]]).split():
            remove(older)
        run(["docker", "build", "--tag", node_image(), programs.HERE / "nodes"])


def remove(image: str) -> None:
    """Remove an image, unless something uses it."""
    with suppress(Failed):
        run(["docker", "image", "rm", image])


def add_ons_archive() -> Path:
    """Return the file with the add-ons' images."""
    return places.built() / "images" / "addons.tar"


def build_add_ons(say: Callable[[str], None]) -> None:
    """Make an image of each add-on's program, all in one archive, which every node imports as it starts."""
    archive = add_ons_archive()
    if archive.is_file():
        return
    say("making the add-ons' images")
    names = [build_add_on("pause", "1")]
    names += [build_add_on(program, programs.version_of(group)) for program, group in _ADD_ONS.items()]
    archive.parent.mkdir(parents=True, exist_ok=True)
    part = archive.with_suffix(f".{os.getpid()}")
    run(["docker", "save", "--output", part, *names])
    part.rename(archive)
    run(["docker", "image", "rm", *names])


def build_add_on(program: str, version: str) -> str:
    """Make the image of one program; return its name."""
    image = f"windtunnel-cluster/{program}:{version}"
    # CoreDNS listens on port 53, which is root's.
    user = 0 if program == "coredns" else 65532
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(places.binary(program), Path(folder) / "program")
        (Path(folder) / "Dockerfile").write_text(_ADD_ON.format(name=program, user=user))
        run(["docker", "build", "--quiet", "--tag", image, folder])
    return image


def load(nodes: Iterable[str], say: Callable[[str], None], built: dict[str, str] | None = None) -> None:
    """Give the nodes images, the project's if none are named, where they have not the same ones already."""
    built = built or idents()
    lacking: dict[tuple[str, ...], list[str]] = {}
    for node in nodes:
        wait_until(f"{node} takes images", partial(docker.works_in_node, node, [*docker.CTR, "version"]), 60)
        has = loaded(node, built)
        stale = tuple(image for image, ident in built.items() if has.get(image) != ident)
        lacking.setdefault(stale, []).append(node)
    for stale, takers in lacking.items():
        if stale:
            load_into(takers, {image: built[image] for image in stale}, say)


def load_into(nodes: Sequence[str], built: dict[str, str], say: Callable[[str], None]) -> None:
    """Give nodes images, those of their layers that a node lacks, and label them there with the daemon's ids."""
    start = time.monotonic()
    known = [set(docker.in_node(node, [*docker.CTR, "content", "ls", "--quiet"]).split()) for node in nodes]
    with tempfile.TemporaryDirectory() as folder:
        saved, thin = Path(folder) / "saved.tar", Path(folder) / "thin.tar"
        run(["docker", "save", "--output", saved, *map(tagged, built)])
        names = {tagged(image): full_name(image) for image in built}
        archive.thin(saved, thin, names, set.intersection(*known))
        saved.unlink()
        docker.import_images(thin, nodes)
    for node in nodes:
        for image, ident in built.items():
            docker.in_node(node, [*docker.CTR, "images", "label", full_name(image), f"{_SOURCE}={ident}"])
    say(f"loaded into {', '.join(nodes)}: {', '.join(built)} ({time.monotonic() - start:.0f} s)")


def idents() -> dict[str, str]:
    """Return the daemon's ids of the project's images, of those that are built."""
    found = {image: seen(image, ".Id") for image in PROJECT}
    return {image: ident for image, ident in found.items() if ident}


def loaded(node: str, images: Iterable[str]) -> dict[str, str]:
    """Return which of some images a node has: its name and the daemon's id."""
    found = {}
    rows = docker.in_node(node, [*docker.CTR, "images", "ls"]).splitlines()
    for image in images:
        for row in rows:
            if row.startswith(f"{full_name(image)} ") and f"{_SOURCE}=" in row:
                found[image] = row.partition(f"{_SOURCE}=")[2].split(",")[0].strip()
    return found


def full_name(image: str) -> str:
    """Return what a node calls an image that has no registry in its name."""
    return f"docker.io/library/{tagged(image)}"


def tagged(image: str) -> str:
    """Return an image's name with its tag; without one, Docker would hand out all that there are of that name."""
    return image if ":" in image else f"{image}:latest"
