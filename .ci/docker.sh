# shellcheck shell=bash
# Sourced by .ci/run: a Docker daemon where none answers, and the end of the one that was started.

docker_pidfile=${docker_pidfile:-/var/run/docker.pid}
docker_log=${docker_log:-/tmp/windtunnel-ci-dockerd.log}
dockerd_pid=

docker_answers() {
  timeout 10 docker version >/dev/null 2>&1
}

# A daemon that was killed leaves this file, and no other starts as long as some process has the number in it.
forget_dead_daemon() {
  [[ -e $docker_pidfile ]] || return 0
  # A zombie has no program any more, and neither has a number that nobody has.
  [[ $(readlink "/proc/$(<"$docker_pidfile")/exe") == */dockerd* ]] || rm -f "$docker_pidfile"
}

docker_up() {
  if docker_answers; then return; fi
  forget_dead_daemon
  # One that is about to answer is waited for like our own.
  if [[ ! -e $docker_pidfile ]]; then
    nohup setsid dockerd >"$docker_log" 2>&1 </dev/null &
    dockerd_pid=$!
  fi
  local deadline=$((SECONDS + 60))
  while ((SECONDS < deadline)); do
    if docker_answers; then return; fi
    if [[ -n $dockerd_pid && ! -e /proc/$dockerd_pid ]]; then break; fi
    sleep 0.5
  done
  echo ".ci/run: Docker does not answer${dockerd_pid:+; the end of its log:}" >&2
  if [[ -n $dockerd_pid ]]; then tail -n 40 "$docker_log" >&2; fi
  return 1
}

docker_down() {
  [[ -n $dockerd_pid ]] || return 0
  kill "$dockerd_pid" 2>/dev/null || true
  wait "$dockerd_pid" 2>/dev/null || true
  dockerd_pid=
}
