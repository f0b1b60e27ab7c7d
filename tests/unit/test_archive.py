"""Archives of images without the layers that nodes have."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from cluster import archive

LAYERS = {"base/layer.tar": b"base" * 9000, "code/layer.tar": b"code"}
NAMES = {"tests:one": "docker.io/library/tests:one", "tests:two": "docker.io/library/tests:two"}


def digest(content: bytes) -> str:
    """Return what the OCI calls the digest of a blob."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a file to an archive."""
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """What Docker writes: two images of two names, of which the second's base is a link to the first's."""
    config = json.dumps({"rootfs": {"diff_ids": [digest(each) for each in LAYERS.values()]}}).encode()
    with tarfile.open(tmp_path / "saved.tar", "w") as tar:
        for name, content in {**LAYERS, "config.json": config}.items():
            add(tar, name, content)
        link = tarfile.TarInfo("again/layer.tar")
        link.type, link.linkname = tarfile.SYMTYPE, "../base/layer.tar"
        tar.addfile(link)
        images = [
            {"Config": "config.json", "RepoTags": ["tests:one", "tests:other"], "Layers": [*LAYERS]},
            {"Config": "config.json", "RepoTags": ["tests:two"], "Layers": ["again/layer.tar", "code/layer.tar"]},
        ]
        add(tar, "manifest.json", json.dumps(images).encode())
    return tmp_path / "saved.tar"


def files(path: Path) -> dict[str, bytes]:
    """Read an archive whole; a file that it holds twice is an error."""
    with tarfile.open(path) as tar:
        assert len(set(tar.getnames())) == len(tar.getnames())
        return {each.name: tar.extractfile(each).read() for each in tar}  # type: ignore[union-attr]


def blob(found: dict[str, bytes], name: str) -> bytes:
    """Return a blob of an archive; its name is its digest."""
    content = found[f"blobs/{name.replace(':', '/')}"]
    assert digest(content) == name
    return content


def test_a_layer_that_is_known_is_named_and_not_held(saved: Path, tmp_path: Path) -> None:
    """What the nodes have not is there, whole, and so are the images' documents; images of no given name are not."""
    base, code = LAYERS.values()
    archive.thin(saved, tmp_path / "thin.tar", NAMES, {digest(base)})
    found = files(tmp_path / "thin.tar")

    assert json.loads(found["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    images: list[dict[str, Any]] = json.loads(found["index.json"])["manifests"]
    assert [each["annotations"]["io.containerd.image.name"] for each in images] == [*NAMES.values()]
    for image in images:
        manifest = json.loads(blob(found, image["digest"]))
        assert [(each["digest"], each["size"]) for each in manifest["layers"]] == [
            (digest(each), len(each)) for each in (base, code)
        ]
        blob(found, manifest["config"]["digest"])
    assert blob(found, digest(code)) == code
    assert f"blobs/{digest(base).replace(':', '/')}" not in found


def test_a_node_that_has_nothing_gets_every_layer_once(saved: Path, tmp_path: Path) -> None:
    """Docker's links among the layers are followed."""
    archive.thin(saved, tmp_path / "thin.tar", NAMES, set())
    found = files(tmp_path / "thin.tar")
    for content in LAYERS.values():
        assert blob(found, digest(content)) == content
