"""What templates, their pods, and those who submit agree on."""

from __future__ import annotations

from pathlib import Path

from windtunnel.backends.labels import PREFIX

ACCOUNT = "windtunnel-argo"
"""The account of all pods of a workflow; `install argo` makes it."""
COMPONENT = "app.kubernetes.io/component"
"""The label of a pod that says which part it runs."""
DRIVE, PLAN, FINISH = "drive", "plan", "finish"
"""The parts: what drives a run, what finds out about its client's pods, and what tells its verdict."""
VERDICT = ("run", "status", "validity", "exit-code", "cause")
"""The output parameters of a workflow."""
S3_SECRET = "windtunnel-s3"  # noqa: S105 - its name
"""The Secret that has, as environment variables, what the driver needs to reach a store; it may be missing."""
RUN, STATUS, VALIDITY, EXIT_CODE = f"{PREFIX}run", f"{PREFIX}status", f"{PREFIX}validity", f"{PREFIX}exit-code"
"""Labels of a workflow, there once its run is over. A resubmitted one has those of the old run at first."""
RECORD = f"{PREFIX}record"
"""The annotation that has the run's record."""
BEGUN, REFUSED = f"{PREFIX}begun", f"{PREFIX}refused"
"""Annotations: which run the driver has begun, or why it begins none."""
RESUBMITTED = "workflows.argoproj.io/resubmitted-from-workflow"
"""Argo's own label of a workflow that is another one again."""
FOLDER, FETCHING, FETCHED = f"{PREFIX}folder", f"{PREFIX}fetching", f"{PREFIX}fetched"
"""Annotations: the pod in which the run's folder waits to be fetched; the same once somebody does, and has."""
OUTPUTS = Path("/tmp/windtunnel-outputs")  # noqa: S108 - a pod's own
"""Where a pod leaves its output parameters, a file each."""
MARK = 7_918_264_503_176
"""Stands for the iteration in a client's pod that is planned once for all."""
RUN_MARK = "windtunnel-planned-run"
"""Stands for the run's id, if that is not known when the pod is planned."""
PARAMETERS = {
    "benchmark": "The benchmark: TOML without {{, base64 of TOML, or with the key benchmark.toml configmap/NAME"
    " or, if it has secrets, secret/NAME.",
    "set": "Keys to override, KEY=VALUE, one a line; or, with the key set, configmap/NAME or secret/NAME.",
    "store": "Where the run is kept, s3://bucket/prefix or pvc://claim/path, instead of the benchmark's.",
    "strict": "true: a suspect result is a failure.",
    "fetch": "true: somebody waits to fetch the run's folder.",
    "image": "Windtunnel's own image.",
}
"""The parameters of every template, and what they are."""
FETCH_SECONDS = 60.0
"""How long a folder waits for somebody who fetches it."""
TRANSFER_SECONDS = 1800.0
"""How long that may take."""
