"""What steps' containers use, as their collectors told the hub; its times are turned into those of this machine."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from windtunnel.backends.agent.dial_out import Clock
from windtunnel.backends.kubernetes.agent import Agent
from windtunnel.backends.kubernetes.task import PodTask
from windtunnel.run.journal import Journal, UsageSample


@dataclass
class UsageReader:
    """Reads on from where it stopped, for each pod."""

    agent: Agent
    journal: Journal
    _offsets: dict[str, int] = field(default_factory=dict)
    _clock: Clock = field(default_factory=Clock)

    def read(self, tasks: Iterable[PodTask]) -> None:
        """Write down what tasks have used since the last time (PlatformError)."""
        owners = {task.container_id: (task.pod, task.unit.step.name) for task in tasks if task.container_id}
        for pod in dict.fromkeys(pod for pod, _step in owners.values()):
            offset = self._offsets.get(pod, 0)
            begin = time.time()
            lines, now = self.agent.read_usage(pod, offset)
            self._clock.note(begin, time.time(), repr(now))
            self._offsets[pod] = offset + len(lines)
            for sample in map(json.loads, lines.splitlines()):
                group = sample.pop("container")
                step = next((name for key, (_pod, name) in owners.items() if key in group), None)
                if step:
                    sample["time"] = round(sample["time"] - self._clock.ahead, 3)
                    self.journal.add_usage(UsageSample(step=step, **sample))
