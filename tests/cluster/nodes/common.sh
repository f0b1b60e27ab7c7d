# What both kinds of node share. Given by the environment: NETWORK (the first three numbers of the nodes' addresses),
# NODES (how many workers), NODE (this worker's number; 0 on the control plane).
BIN=/cluster/bin
STATE=/cluster/state
# A volume that outlives the cluster.
IMAGES=/images

# keep NAME PROGRAM ARGUMENT…: runs a program for as long as the container lives; its output is in /var/log/NAME.log.
keep() {
  local name=$1
  shift
  while :; do
    "$@"
    echo "--- $name ended with status $?, and is started again"
    sleep 0.5
  done >>"/var/log/$name.log" 2>&1 &
}

# Every worker has a network of pods, 10.244.NODE.0/24, and the others go through it.
route_to_pods() {
  local worker
  for worker in $(seq 1 "$NODES"); do
    [ "$worker" = "$NODE" ] || ip route replace "10.244.$worker.0/24" via "$NETWORK.$((10 + worker))"
  done
}
