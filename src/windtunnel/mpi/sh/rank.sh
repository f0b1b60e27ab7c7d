# What each rank runs. `where NOTES` says on which host it is; `run NOTES SIZE COMMAND…` runs the program and notes in
# the folder NOTES that it began, and the status that it ended with: what mpirun makes of that is no evidence.
act=$1 notes=$2
rank=${OMPI_COMM_WORLD_RANK:-${PMI_RANK:-${PMIX_RANK:-unknown}}}

if [ "$act" = where ]; then
  # One write, so that no other rank's line comes between.
  { read -r name <"$notes/host"; } 2>/dev/null || name=-
  printf '\nwindtunnel: rank %s is on %s.\n' "$rank" "$name"
  exit
fi

RANK=$rank WORLD_SIZE=$3
export RANK WORLD_SIZE
shift 3
mkdir -p "$notes"

note() {
  (
    IFS='	'
    printf '%s\n' "$*"
  ) >>"$notes/rank.$rank"
}

note began
if ! command -v "$1" >/dev/null; then
  note missing "$1"
  printf 'windtunnel: there is no program %s where rank %s runs\n' "$1" "$rank" >&2
  exit 127
fi
# The launcher signals the whole group: the program gets it too, and this waits for what it makes of it.
trap : TERM INT HUP
"$@"
status=$?
note ended "$status" "$(date +%s)"
# Hydra ends the others when a rank is killed, and not when it ends with a status.
[ "$status" -eq 0 ] || [ -z "${PMI_RANK-}" ] || kill -KILL $$
exit "$status"
