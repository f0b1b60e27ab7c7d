#!/bin/bash
# Runs in a worker's container: containerd, kubelet and kube-proxy.
set -u
. /cluster/node/common.sh

# A container that is not privileged has /sys and the cgroups read-only. They are mounts of their own: without `bind`,
# the remount changes the file system and leaves the mount as it was.
mount --make-rshared /
mount -o remount,bind,rw /sys
for folder in /sys/fs/cgroup /sys/fs/cgroup/*; do
  if mountpoint -q "$folder"; then mount -o remount,bind,rw "$folder"; fi
done
# In the second version of cgroups a group with processes can't give controllers to groups below it.
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
  mkdir -p /sys/fs/cgroup/node
  xargs -rn1 </sys/fs/cgroup/cgroup.procs >/sys/fs/cgroup/node/cgroup.procs 2>/dev/null
  sed -e 's/ / +/g' -e 's/^/+/' </sys/fs/cgroup/cgroup.controllers >/sys/fs/cgroup/cgroup.subtree_control
fi

# Pods keep their addresses among themselves, and have the node's in the world outside.
sysctl -qw net.ipv4.ip_forward=1
route_to_pods
iptables -t nat -A POSTROUTING -s "10.244.$NODE.0/24" ! -d 10.244.0.0/16 -j MASQUERADE
mkdir -p /etc/cni/net.d
sed "s/NODE/$NODE/" /cluster/node/pods-network.json >/etc/cni/net.d/10-pods.conflist

# It begins with the images that were kept: links of their layers, to which nobody writes, and copies of the databases.
rm -rf "$IMAGES/node$NODE"
cp -al "$IMAGES/kept" "$IMAGES/node$NODE"
for database in "$IMAGES/node$NODE"/*/*.db; do
  cp --remove-destination "$IMAGES/kept${database#"$IMAGES/node$NODE"}" "$database"
done
keep containerd containerd --config /cluster/node/containerd.toml --root "$IMAGES/node$NODE"
until ctr version >/dev/null 2>&1; do sleep 0.1; done

keep kubelet "$BIN/kubelet" --config=/cluster/node/kubelet.yaml --kubeconfig="$STATE/conf/node$NODE.conf" \
  --hostname-override="node$NODE" --node-ip="$NETWORK.$((10 + NODE))"
keep kube-proxy "$BIN/kube-proxy" --config=/cluster/node/kube-proxy.yaml --hostname-override="node$NODE"
wait
