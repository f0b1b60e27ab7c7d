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

# The files' owner and mode are the platform's; sshd takes no key that others can read.
umask 077
private=$(mktemp -d)
for file in host_key authorized_keys; do
  cat "$here/$file" >"$private/$file"
done
# What this container's environment has, so that a program started by ssh finds it as any other does.
export -p >"$private/environment"
read -r port <"$here/port"
# The folder in which sshd gives up its rights.
[ "$(id -u)" -ne 0 ] || (umask 022 && mkdir -p /run/sshd)
umask 022
exec "$sshd" -D -e -f "$here/sshd_config" -p "$port" -h "$private/host_key" \
  -o "AuthorizedKeysFile=$private/authorized_keys" -o "AllowUsers=$user" \
  -o "ForceCommand=exec /bin/sh '$here/session.sh' '$private/environment'"
