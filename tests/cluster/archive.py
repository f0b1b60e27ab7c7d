"""Archives of images that hold no layer that the nodes have already.

Docker writes every layer of an image. A container runtime takes an archive in the OCI's image layout without the
layers that it has; of an image whose code has changed these are all but a few megabytes.
See https://github.com/opencontainers/image-spec/blob/main/image-layout.md.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True)
class Archive:
    """An archive that is being written.

    Attributes:
        tar: Where it goes.
        known: The digests of the layers that it need not hold.
        written: The digests that it holds.
    """

    tar: tarfile.TarFile
    known: Collection[str]
    written: set[str] = field(default_factory=set)

    def file(self, name: str, content: bytes) -> None:
        """Add a file."""
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        self.tar.addfile(entry, io.BytesIO(content))

    def blob(self, kind: str, content: bytes) -> dict[str, Any]:
        """Add a document; return its descriptor."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.stream(digest, len(content), io.BytesIO(content))
        return {"mediaType": kind, "digest": digest, "size": len(content)}

    def stream(self, digest: str, size: int, content: IO[bytes]) -> None:
        """Add what has a digest, once."""
        if digest not in self.written:
            entry = tarfile.TarInfo(f"blobs/{digest.replace(':', '/')}")
            entry.size = size
            self.tar.addfile(entry, content)
            self.written.add(digest)


def thin(saved: Path, target: Path, names: Mapping[str, str], known: Collection[str]) -> None:
    """Write an archive of images without some layers.

    Args:
        saved: What ``docker save`` wrote.
        target: The file to write.
        names: What the nodes call each image, by its tag in the archive.
        known: The digests of the layers to leave out.
    """
    with tarfile.open(saved) as tar, tarfile.open(target, "w") as thinner:
        archive = Archive(thinner, known)
        images = [each for each in json.load(_member(tar, "manifest.json")) if set(each["RepoTags"] or ()) & set(names)]
        manifests = [descriptor for image in images for descriptor in _manifests(tar, archive, image, names)]
        archive.file("oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}).encode())
        archive.file("index.json", json.dumps({"schemaVersion": 2, "manifests": manifests}).encode())


def _manifests(
    tar: tarfile.TarFile, archive: Archive, image: Mapping[str, Any], names: Mapping[str, str]
) -> Iterable[dict[str, Any]]:
    """Add an image's layers and documents; yield its descriptor under each of its names."""
    config = _member(tar, image["Config"]).read()
    digests = json.loads(config)["rootfs"]["diff_ids"]
    layers = []
    for path, digest in zip(image["Layers"], digests, strict=True):
        layer = _member(tar, path)
        size = layer.seek(0, io.SEEK_END)
        layer.seek(0)
        if digest not in archive.known:
            archive.stream(digest, size, layer)
        layers.append({"mediaType": _LAYER, "digest": digest, "size": size})
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": archive.blob(_CONFIG, config),
        "layers": layers,
    }
    descriptor = archive.blob(_MANIFEST, json.dumps(manifest).encode())
    for tag in image["RepoTags"]:
        if tag in names:
            yield {**descriptor, "annotations": {"io.containerd.image.name": names[tag]}}


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    """Return a file of an archive; Docker writes a layer that two images share once, and links to it."""
    found = tar.extractfile(name)
    assert found is not None, f"{name} is no file"
    return found
