# What the launcher asks of each host: check, and collect. It is sent there after order.sh and mpi.sh; a call follows.

# Shells and sshd may print something of their own before: an answer says that it is one.
answer() {
  printf '\nwindtunnel: %s\n' "$1"
}

# Answers in one line: ok and where the launcher is, seen from there; or a stage and what is wrong. The host keeps the
# name that the launcher has for it.
check() {
  if ! cd "$work" || ! mkdir -p "$notes" || ! printf '%s\n' "$1" >"$notes/host"; then
    answer "denied $notes cannot be written there"
  elif ! find_mpi || ! has_daemon; then
    answer "no_mpi $words"
  elif [ "$version" != "$2" ]; then
    answer "other_mpi $mpirun is version $version there, and the launcher's is $2"
  else
    answer "ok ${SSH_CONNECTION%% *}"
  fi
}

# Ends what ranks left behind here, and tells what that was: it would run beside the next iteration.
end_leftovers() {
  for file in $(grep -lF "WINDTUNNEL_RANKS=$notes" /proc/[0-9]*/environ 2>/dev/null); do
    process=${file%/environ}
    { read -r name <"$process/comm" && kill -KILL "${process#/proc/}"; } 2>/dev/null &&
      printf 'left\t%s\t%s\n' "$1" "$name"
  done
}

# Tells what the ranks noted here, and what they measured, which is then taken away: the launcher appends it to its own.
collect() {
  answer collected
  for note in "$notes"/rank.*; do
    [ -e "$note" ] || continue
    while IFS= read -r line; do
      printf 'rank\t%s\t%s\t%s\n' "${note##*.}" "$1" "$line"
    done <"$note"
  done
  # Where the launcher is, its platform sees to that.
  [ "$1" = - ] || end_leftovers "$1"
  rm -rf "$notes"
  if [ "$1" = - ] || { [ ! -e "$metrics" ] && [ ! -L "$metrics" ]; }; then
    echo nothing
  else
    hand_over "$1"
  fi
}

# Hands over what was measured here. It is moved, and not emptied: what cannot be written would come after each iteration.
hand_over() {
  taken=$metrics.taken
  rm -rf "$taken"
  if ! mv "$metrics" "$taken" || [ ! -f "$taken" ] || [ -L "$taken" ]; then
    printf 'unreadable\t%s\nnothing\n' "$1"
  elif [ -s "$taken" ]; then
    echo measured
    cat "$taken"
  else
    echo nothing
  fi
  rm -rf "$taken"
}
