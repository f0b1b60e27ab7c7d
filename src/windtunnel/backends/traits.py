"""What a platform can do, as data; the table of backends has one of these for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What a backend can do, and where it is; what a benchmark asks for beyond that is refused or noted.

    Attributes:
        where: The backend's class, as ``module:name``; it is imported when the backend is chosen.
        steps: What steps are there, in the plural, such as ``containers``.
        machine: The one machine that all steps are on, in words; None if they can be on several.
        needs: Packages that the extra called like the backend installs, and that it cannot do without.
        images: Whether a step runs from its image, and needs one; elsewhere images are ignored.
        limits: Whether a step's CPU and memory are limited; elsewhere limits are ignored.
        seals: Whether a step can be sealed off (``isolation = "sealed"``).
        traces: Whether system calls can be recorded (``trace = true``).
        replicas: Whether several replicas of a server can be behind one address.
        gangs: Whether workers are started for a launcher; elsewhere that starts all ranks where it is.
        absolute_paths: Whether files and inputs can be put at absolute paths.
        stores: By its scheme, each kind of store that this platform has besides folders and S3: the class that
            uploads a run there, as ``module:name``.
        targets: The class that has runs take turns on a target (see `Turn`), as ``module:name``; None if they cannot.
        installer: The module that makes what the platform needs once (see `Installer`), if it needs that.
        measures: Whether steps are started for real.
    """

    where: str
    steps: str
    machine: str | None = None
    needs: tuple[str, ...] = ()
    images: bool = True
    limits: bool = True
    seals: bool = True
    traces: bool = True
    replicas: bool = True
    gangs: bool = True
    absolute_paths: bool = True
    stores: Mapping[str, str] = field(default_factory=dict)
    targets: str | None = None
    installer: str | None = None
    measures: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "stores", MappingProxyType(dict(self.stores)))
