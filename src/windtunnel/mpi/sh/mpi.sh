# What the launcher and its hosts find out alike: the time, and which MPI is there. Read by launch.sh, sent with host.sh.

# Sets `clock`: hundredths of seconds, of a clock that is never set.
read_clock() {
  if { read -r clock _ </proc/uptime; } 2>/dev/null; then
    clock=${clock%.*}${clock#*.}
  else
    clock=$(date +%s)00
  fi
}

# Sets `mpirun`, `version` and `major`; else fails with `words`: what is there instead.
find_mpi() {
  words="no mpirun in PATH"
  case $implementation in
    openmpi) set -- mpirun.openmpi mpirun ;;
    mpich) set -- mpiexec.mpich mpirun.mpich mpiexec.hydra mpirun ;;
    intel) set -- mpiexec.hydra mpirun ;;
  esac
  for name; do
    mpirun=$(command -v "$name") || continue
    said=$("$mpirun" --version 2>&1 </dev/null)
    case $implementation:$said in
      openmpi:*"(Open MPI) "*) version=${said#*"(Open MPI) "} ;;
      mpich:HYDRA*Version:*) version=${said#*Version:} ;;
      intel:Intel*"Version "*) version=${said#*"Version "} ;;
      *)
        words="$mpirun says: $(printf '%s' "$said" | head -n 2 | tr -s '\r\n\t ' ' ')"
        continue
        ;;
    esac
    # shellcheck disable=SC2086 # its first word
    set -- $version
    version=$1
    major=${version%%.*}
    return 0
  done
  return 1
}

# Tells whether the program is there that a launcher starts on each host; else sets `words`.
has_daemon() {
  case $implementation:$major in
    openmpi:4) daemon=orted ;;
    openmpi:*) daemon=prted ;;
    *) daemon=${mpirun%/*}/hydra_pmi_proxy ;;
  esac
  words="$mpirun is there, but not $daemon"
  command -v "$daemon" >/dev/null
}
