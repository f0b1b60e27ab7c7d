# What the launcher asks of each host: check, and collect. It is sent there after order.sh and mpi.sh; a call follows.

# Answers in one line: ok and where the launcher is, seen from there; or a stage and what is wrong. The host keeps the name that the launcher has for it.
check() {
  if ! cd "$work" || ! mkdir -p "$notes" || ! printf '%s\n' "$1" >"$notes/host"; then
    echo "denied $notes cannot be written there"
  elif ! find_mpi || ! has_daemon; then
    echo "no_mpi $words"
  elif [ "$version" != "$2" ]; then
    echo "other_mpi $mpirun is version $version there, and the launcher's is $2"
  else
    echo "ok ${SSH_CONNECTION%% *}"
  fi
}

# Prints what the ranks noted here, and what they measured, which is then taken away: the launcher appends it to its own.
collect() {
  for note in "$notes"/rank.*; do
    [ -e "$note" ] || continue
    while IFS= read -r line; do
      printf '%s\t%s\t%s\n' "${note##*.}" "$1" "$line"
    done <"$note"
  done
  rm -rf "$notes"
  if [ "$1" != - ] && [ -s "$metrics" ]; then
    echo measured
    cat "$metrics" && : >"$metrics"
  else
    echo nothing
  fi
}
