# What each rank runs. `where NOTES` says on which host it is. `run NOTES IMPLEMENTATION RANKS COMMAND…` runs the program
# and notes in the folder NOTES that it began, and how it ended: what mpirun makes of that is no evidence.
act=$1 notes=$2
rank=${OMPI_COMM_WORLD_RANK:-${PMI_RANK:-${PMIX_RANK:-unknown}}}

# Open MPI 5 waits for ever for a rank on another host that ended before its daemon was told that all of them run, which
# takes milliseconds.
linger() {
  sleep 0.3 2>/dev/null || sleep 1
}

if [ "$act" = where ]; then
  # One write, so that no other rank's line comes between.
  { read -r name <"$notes/host"; } 2>/dev/null || name=-
  printf '\nwindtunnel: rank %s is on %s.\n' "$rank" "$name"
  linger
  exit
fi

# The last one is for finding again what a rank started.
implementation=$3 RANK=$rank WORLD_SIZE=$4 WINDTUNNEL_RANKS=$notes
export RANK WORLD_SIZE WINDTUNNEL_RANKS
shift 4
mkdir -p "$notes"

note() {
  (
    IFS='	'
    printf '%s\n' "$*"
  ) >>"$notes/rank.$rank"
}

# MPICH fails where a filter of system calls refuses that one rank reads another's memory, as Docker's does; it can copy.
if [ "$implementation" = mpich ] && grep -q '^Seccomp:.*2$' /proc/self/status; then
  MPIR_CVAR_CH4_CMA_ENABLE=${MPIR_CVAR_CH4_CMA_ENABLE-0}
  export MPIR_CVAR_CH4_CMA_ENABLE
fi

# Ends with a status, so that the launcher ends the others if it is not 0.
finish() {
  case $implementation:$1 in
    # Whatever it ended with, if it is on another host and took no longer than a second or two.
    openmpi:*) [ ! -e "$notes/host" ] || [ "$(date +%s)" -gt "$((start + 1))" ] || linger ;;
    *:0) ;;
    # MPICH goes on with the others for as long as they like, unless it finds a rank killed while the output of that host
    # is open. It looks for that when a stream closes: so one closes after the rank's death, and the other later.
    # Neither is something that the rank left behind.
    mpich:*)
      WINDTUNNEL_RANKS='' sleep 1 >/dev/null &
      WINDTUNNEL_RANKS='' sleep 2 3>&- &
      kill -KILL $$
      ;;
    # Intel MPI goes on with those that have not come to MPI_Init, unless its daemon here ends.
    intel:*) kill -TERM $PPID ;;
  esac
  exit "$1"
}

start=$(date +%s)
note began
# The shell's own word of a program that a signal ended would be taken for the program's.
exec 3>&2 2>/dev/null
if ! command -v "$1" >/dev/null; then
  note missing "$1"
  printf 'windtunnel: there is no program %s where rank %s runs\n' "$1" "$rank" >&3
  finish 127
fi
# Notes a library of another MPI that the program loaded: linked to one, it knows no other rank, and ends well.
# MPICH and Intel MPI speak the same (PMI), and whatever loads PMIx speaks with Open MPI.
note_foreign() {
  loaded=$(cat "$notes/loads.$rank".* 2>/dev/null | sed -n 's/.*calling init: //p' |
    grep -E '/lib(mpi|mpich|mpi_abi|open-pal|pmix)\.so')
  case $implementation:$loaded in
    openmpi:*/libopen-pal.so* | openmpi:*/libpmix.so*) return ;;
    openmpi:?* | *:*/libopen-pal.so*) note foreign "$(printf '%s\n' "$loaded" | grep -F /libmpi | head -n 1)" ;;
  esac
}

# glibc's loader tells what it loads (ld.so(8)), which is asked once a run: in the first iteration.
if [ "${notes##*.}" = 1 ] && [ -z "${LD_DEBUG-}" ]; then
  LD_DEBUG=files LD_DEBUG_OUTPUT=$notes/loads.$rank
  export LD_DEBUG LD_DEBUG_OUTPUT
fi
# The launcher signals the whole group: the program gets it too, and this waits for what it makes of it.
asked=no
trap 'asked=yes' TERM INT HUP
"$@" 2>&3 3>&-
status=$?
unset LD_DEBUG LD_DEBUG_OUTPUT
note_foreign
note ended "$status" "$(date +%s)" "$asked"
finish "$status"
