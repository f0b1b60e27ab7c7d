"""Names that templates, their pods, and those who submit agree on: labels, annotations, the account, outputs."""

from __future__ import annotations

from pathlib import Path

from windtunnel.backends.labels import PREFIX

BACKEND = "kubernetes"
"""The backend whose pods Argo makes."""
ACCOUNT = "windtunnel-argo"
"""The account of all pods of a workflow; `install argo` makes it."""
WORKFLOW = "workflows.argoproj.io/workflow"
"""Argo's own label of a pod, with the name of the workflow that made it."""
COMPONENT = "app.kubernetes.io/component"
"""The label of a pod that says which part it runs."""
DRIVE, PLAN, FINISH = "drive", "plan", "finish"
"""The parts: what drives a run, what finds out about its client's pods, and what tells its verdict."""
END = "end"
"""The part that Argo does at a workflow's end, however it came."""
CLIENTS = "clients"
"""The part of a workflow that makes the client's pods."""
MAIN, WAIT, INIT = "main", "wait", "init"
"""What Argo calls the container that runs a step's command, and its own beside it and before it."""
VERDICT = ("run", "status", "validity", "exit-code", "cause")
"""The output parameters of a workflow that are its run's verdict."""
HEADLINES = "metrics"
"""The output parameter that has the means of the run's metrics, as JSON."""
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
FETCHED_AS = "run"
"""What the archive of a run's folder is called in the driver's pod."""
REPORT = "report"
"""The output artifact that is the run's report; there is none where Argo has no repository for artifacts."""
OUTPUTS = Path("/tmp/windtunnel-outputs")  # noqa: S108 - a pod's own
"""Where a pod leaves its output parameters, a file each."""
