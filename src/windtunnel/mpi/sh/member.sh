#!/bin/sh
# A member of a gang: sshd in the foreground, for the launcher of this run alone, as any user.
# Its one argument is the folder that it is in.
set -eu
here=$1

fail() {
  printf 'windtunnel: %s\n' "$1" >&2
  exit 127
}

# sshd wants to be called by its whole path.
sshd=$(PATH=$PATH:/usr/sbin:/usr/local/sbin:/sbin command -v sshd) ||
  fail "this image has no sshd, which a member of a gang runs; install openssh-server"
user=$(id -un 2>/dev/null) ||
  fail "user $(id -u) has no name in this image's /etc/passwd, and sshd lets nobody else in; add it (useradd)"

if [ "$(id -u)" -eq 0 ]; then
  # sshd of root gives up what it may do, for which it has to be allowed to change its root folder, group and user.
  rights=$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)
  [ $((0x$rights & 0x400c0)) -eq $((0x400c0)) ] ||
    fail "sshd of root lacks rights that this container has not (chroot, setuid, setgid); let the image have another user"
  (umask 022 && mkdir -p /run/sshd)
fi

# The files' owner and mode are the platform's; sshd takes no key that others can read.
umask 077
private=$(mktemp -d)
for file in host_key authorized_keys; do
  cat "$here/$file" >"$private/$file"
done
# What this container's environment has, so that a program started by ssh finds it as any other does.
export -p >"$private/environment"
read -r port <"$here/port"
umask 022
exec "$sshd" -D -e -f "$here/sshd_config" -p "$port" -h "$private/host_key" \
  -o "AuthorizedKeysFile=$private/authorized_keys" -o "AllowUsers=$user" \
  -o "ForceCommand=exec /bin/sh '$here/session.sh' '$private/environment'"
