"""The system calls of sealed containers, where Docker's own rules leave a way out."""

from __future__ import annotations

from typing import Any

_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97
_FAMILIES = {1, 2, 10, 16}
"""AF_UNIX, AF_INET, AF_INET6 and AF_NETLINK: through these nothing but the run's network is reached."""
_NAMESPACES = 0x7E02_0000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET (clone(2))."""
_DENIED = (
    # Mounts and namespaces.
    "fsconfig fsmount fsopen fspick mount mount_setattr move_mount open_tree pivot_root setns umount umount2 unshare",
    # The kernel itself: modules, another kernel, its clock, its log, quotas, swap.
    "acct clock_adjtime clock_adjtime64 clock_settime clock_settime64 create_module delete_module finit_module",
    "get_kernel_syms init_module kexec_file_load kexec_load nfsservctl query_module quotactl quotactl_fd reboot",
    "settimeofday stime swapoff swapon syslog vhangup",
    # What has no namespace, or looks past one.
    "add_key bpf kcmp keyctl lookup_dcookie open_by_handle_at perf_event_open pidfd_getfd request_key",
    # Hardware, and on which node memory lies.
    "get_mempolicy ioperm iopl mbind migrate_pages move_pages set_mempolicy set_mempolicy_home_node",
    # Makes sockets without a call that a filter sees.
    "io_uring_enter io_uring_register io_uring_setup",
    # Old, or of use to an exploit first.
    "_sysctl personality sysfs uselib userfaultfd ustat vm86 vm86old",
)


def profile() -> dict[str, Any]:
    """Return the profile for daemons whose own one lets a container call the hypervisor (``AF_VSOCK``).

    It refuses what Docker's refuses to containers without capabilities, all sockets that are not of the
    container's own network, and io_uring. Only programs of the machine's own word size run under it.
    Source: Docker's documentation, *Seccomp security profiles for Docker*, "Significant syscalls
    blocked by the default profile"; the format is the one that Docker documents there.
    """
    last = max(_FAMILIES)
    families = [_compare("SCMP_CMP_EQ", family) for family in range(last) if family not in _FAMILIES]
    families.append(_compare("SCMP_CMP_GT", last))
    namespaces = [_compare("SCMP_CMP_MASKED_EQ", 1 << bit) for bit in range(32) if _NAMESPACES >> bit & 1]
    return {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [
            _deny([name for group in _DENIED for name in group.split()], _EPERM),
            *(_deny(["socket", "socketpair"], _EAFNOSUPPORT, family) for family in families),
            *(_deny(["clone"], _EPERM, namespace) for namespace in namespaces),
            # Its flags are in memory, where a filter cannot see them; C libraries fall back to clone.
            _deny(["clone3"], _ENOSYS),
        ],
    }


def _deny(names: list[str], errno: int, *arguments: dict[str, Any]) -> dict[str, Any]:
    return {"names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": errno, "args": list(arguments)}


def _compare(operator: str, value: int) -> dict[str, Any]:
    """Return a condition on a call's first argument; for a mask, that all of its bits are set."""
    return {"index": 0, "op": operator, "value": value, "valueTwo": value}
