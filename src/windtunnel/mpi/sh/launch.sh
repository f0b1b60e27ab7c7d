#!/bin/sh
# Runs an MPI program on the members of a gang: sees that each can be reached, asks the launcher which rank it puts
# where, runs the program, and fetches how each rank ended. What it finds out is in the report, a line a fact, fields
# between tabs; standard output and error are the program's and mpirun's alone.
# Its one argument is the folder that it is in; order.sh there says what to run.
set -u
here=$1
tab='	'
ended='' children=''
. "$here/order.sh"
. "$here/mpi.sh"

# Writes a fact: a word, and its fields, each in one line.
tell() {
  fact=$1
  shift
  for field; do
    fact=$fact$tab$(printf '%s' "$field" | tr -d '\r' | tr -s '\n\t ' ' ')
  done
  printf '%s\n' "$fact" >>"$report"
}

# Ends before anything is measured; the fact says why.
refuse() {
  tell "$@"
  exit 3
}

# SIGTERM is handed on to what runs.
end() {
  ended=yes
  # shellcheck disable=SC2086 # numbers
  [ -z "$children" ] || kill -TERM $children 2>/dev/null
}

# Waits for a child, whatever signals come meanwhile, and sets `status`.
await() {
  # It may have come before the child was known.
  [ -z "$ended" ] || end
  while :; do
    wait "$1"
    status=$?
    kill -0 "$1" 2>/dev/null || break
  done
}

# Waits for all children; those that are there after so many seconds are ended.
await_all() {
  # shellcheck disable=SC2086 # numbers
  guard "$1" $children &
  guard=$!
  for child in $children; do
    await "$child"
  done
  children=
  kill -TERM "$guard" 2>/dev/null
  wait "$guard" 2>/dev/null
  go_on
}

# Ends processes when a time is over: SECONDS PID….
guard() {
  trap 'kill "$timer" 2>/dev/null; exit' TERM
  sleep "$1" &
  timer=$!
  wait "$timer"
  shift
  kill -TERM "$@" 2>/dev/null
}

# Goes on, unless SIGTERM came.
go_on() {
  [ -n "$ended" ] || return 0
  tell stopped
  rm -rf "$private"
  trap - TERM EXIT
  kill -TERM $$
}

# Copies what ssh wants for itself alone: the owner and mode of the files here are the platform's.
prepare() {
  private=$(umask 077 && mktemp -d) || exit
  trap 'rm -rf "$private"' EXIT
  [ -n "$members" ] || return 0
  for file in hosts known_hosts id ssh_config; do
    (umask 077 && cat "$here/$file" >"$private/$file")
  done
  printf 'IdentityFile %s/id\nUserKnownHostsFile %s/known_hosts\n' "$private" "$private" >>"$private/ssh_config"
}

# Becomes ssh that has a host call a function of host.sh: HOST ADDRESS FUNCTION WORD…, the words plain ones.
ask() {
  host=$1 address=$2
  shift 2
  {
    cat "$here/order.sh" "$here/mpi.sh" "$here/host.sh"
    printf '%s\n' "$*"
  } >"$private/call.$host"
  # Its messages are read: all of them, in English.
  LC_ALL=C
  export LC_ALL
  exec ssh -F "$private/ssh_config" -o LogLevel=INFO "$address" /bin/sh -s \
    <"$private/call.$host" >"$private/answer.$host" 2>"$private/words.$host"
}

# Tries a host until all is well there, or never will be: HOST ADDRESS. Notes what came of each try.
reach() {
  trap 'kill "$asked" 2>/dev/null; exit' TERM
  while :; do
    ask "$1" "$2" check "$1" "$version" &
    asked=$!
    wait "$asked"
    find_stage "$1" "$?"
    read_clock
    printf '%s\t%s\t%s\n' "$stage" "$((clock - began))" "$words" >"$private/stage.$1"
    case $stage in
      not_resolved | refused) sleep 0.2 2>/dev/null || sleep 1 ;;
      *) return ;;
    esac
  done
}

# Sets `stage` and `words` from what a host answered, or from what was said instead: HOST, and what ssh ended with.
find_stage() {
  sed -n 's/^windtunnel: //p' "$private/answer.$1" >"$private/said.$1"
  if read -r stage words <"$private/said.$1"; then
    return
  fi
  words=$(cat "$private/words.$1")
  # ssh itself ends with 255; else it is the user's shell that runs nothing, such as nologin.
  [ "$2" -eq 255 ] || words=$(printf 'Permission denied\n%s' "$(cat "$private/answer.$1" "$private/words.$1")")
  case $words in
    *"Could not resolve"*) stage=not_resolved ;;
    *"Permission denied"* | *"verification failed"* | *"Too many auth"* | *"No user exists"*) stage=denied ;;
    *) stage=refused ;;
  esac
  words=$(printf '%s' "$words" | tail -n 1)
}

barrier() {
  while read -r host address; do
    reach "$host" "$address" &
    children="$children $!"
  done <<END
$members
END
  await_all "$within"
  read_clock
  all=yes
  while read -r host address; do
    IFS=$tab read -r stage took words <"$private/stage.$host" || stage=refused took=$((clock - began)) words='ssh did not answer'
    tell host "$host" "$stage" "$took" "$words"
    own_address=$words
    [ "$stage" = ok ] || all=
  done <<END
$members
END
  [ -n "$all" ] || exit 3
  find_interface
}

# Sets `own_interface`: that by which the launcher's own network is reached, which is the closest of its routes.
find_interface() {
  own_interface=eth0 closest=-1
  case $own_address in
    *[!0-9.]*) return ;;
  esac
  IFS=. read -r a b c d <<END
$own_address
END
  # As the kernel writes addresses: the first byte is the lowest.
  own=$((a + b * 256 + c * 65536 + d * 16777216))
  while read -r name target _ _ _ _ _ mask _; do
    [ "$name" != Iface ] || continue
    if [ $((own & 0x$mask)) -eq $((0x$target)) ] && [ $((0x$mask)) -gt "$closest" ]; then
      own_interface=$name closest=$((0x$mask))
    fi
  done </proc/net/route
}

# The launcher itself says where it puts each rank, with the options that it is then run with.
census() {
  read_clock
  began=$clock
  "launch_$major" /bin/sh "$here/rank.sh" where "$notes" </dev/null >"$private/census" 2>"$private/words" &
  children=$!
  await_all "$patience"
  read_clock
  sed -n "s/.*windtunnel: rank \([0-9]*\) is on \([^ ]*\)\.\$/\1$tab\2/p" "$private/census" | LC_ALL=C sort >"$private/placed"
  sed "s/^/placed$tab/" "$private/placed" >>"$report"
  # Its lines, as one field.
  tell census "$status" "$((clock - began))" "$(head -c 2000 "$private/words" | tr '\n' '\v')"
  [ "$status" -eq 0 ] && [ "$(cat "$private/placed")" = "$placed" ] || exit 3
}

measure() {
  read_clock
  began=$clock
  run </dev/null &
  children=$!
  await "$children"
  children=
  read_clock
  tell run "$status" "$((clock - began))"
  go_on
}

# Takes what a host answered to `collect`: how its ranks ended, then what they measured.
take() {
  begun=
  while IFS= read -r line; do
    case $begun$line in
      'windtunnel: collected') begun=yes ;;
      yesmeasured)
        # What is there already may have no end.
        { echo && cat; } >>"$metrics"
        return 0
        ;;
      yesnothing) return 0 ;;
      yes*) printf '%s\n' "$line" >>"$report" ;;
    esac
  done <"$private/answer.$1"
  return 1
}

fetch() {
  while read -r host address; do
    ask "$host" "$address" collect "$host" &
    children="$children $!"
  done <<END
$members
END
  mpi_status=$status
  await_all 20
  while read -r host address; do
    take "$host" || tell lost "$host" "$(tail -n 1 "$private/words.$host")"
  done <<END
$members
END
  status=$mpi_status
}

trap end TERM
mkdir -p "${report%/*}"
: >"$report"
prepare
if [ "$(id -u)" -eq 0 ]; then
  OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  export OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM
fi
go_on
find_mpi || refuse unsupported "$words"
tell version "$version" "$mpirun"
case " $majors " in
  *" $major "*) ;;
  *) refuse unsupported "$mpirun is version $version" ;;
esac
if [ -z "$members" ]; then
  measure
  . "$here/host.sh"
  collect - >"$private/answer.-"
  take -
  exit "$status"
fi
command -v ssh >/dev/null || refuse missing ssh
read_clock
began=$clock
barrier
read_clock
tell barrier "$((clock - began))"
census
measure
fetch
exit "$status"
