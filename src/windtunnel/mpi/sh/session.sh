# What the launcher asks of a member by ssh, in the environment and the working folder of the member's own command.
# sshd would give it an environment of its own, with another PATH. The one argument: a file of `export` commands.
command=${SSH_ORIGINAL_COMMAND-}
. "$1"
cd "${0%/.windtunnel/*}" || exit
[ -n "$command" ] || exit
exec /bin/sh -c "$command"
