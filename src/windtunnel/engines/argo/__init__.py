"""Runs by Argo Workflows: templates, and what their pods do.

A workflow of ours has two branches side by side. `drive` is the walk of the inline engine, in a
pod, on the kubernetes backend. `clients` has Argo make the client's pods, one for each iteration
(`client`), after the submitter has planned them, or a pod `plan`; each waits at a scheduling
gate until the walk has come to it. At the end, however it came, `finish` looks that nothing is
left, and tells the verdict, unless the driver has told that all is well.
"""
