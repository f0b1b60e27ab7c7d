#!/bin/bash
# Runs in the control plane's container: etcd, the API server, the controllers and the scheduler.
set -u
. /cluster/node/common.sh
PKI=$STATE/pki
CONF=$STATE/conf

# metrics-server is a pod that the API server calls.
route_to_pods

# Nothing here outlives the machine's power, so etcd need not wait for its disk.
keep etcd "$BIN/etcd" --data-dir /var/lib/etcd/data --unsafe-no-fsync \
  --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
  --listen-peer-urls http://127.0.0.1:2380

keep kube-apiserver "$BIN/kube-apiserver" \
  --etcd-servers=http://127.0.0.1:2379 --advertise-address="$NETWORK.2" --secure-port=6443 \
  --service-cluster-ip-range=10.96.0.0/16 --allow-privileged=true \
  --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --client-ca-file=$PKI/ca.crt \
  --tls-cert-file=$PKI/apiserver.crt --tls-private-key-file=$PKI/apiserver.key \
  --kubelet-client-certificate=$PKI/apiserver-kubelet-client.crt \
  --kubelet-client-key=$PKI/apiserver-kubelet-client.key --kubelet-preferred-address-types=InternalIP \
  --service-account-issuer=https://kubernetes.default.svc.cluster.local --service-account-key-file=$PKI/sa.pub \
  --service-account-signing-key-file=$PKI/sa.key \
  --enable-aggregator-routing=true --requestheader-client-ca-file=$PKI/front-proxy-ca.crt \
  --requestheader-allowed-names=front-proxy-client --requestheader-extra-headers-prefix=X-Remote-Extra- \
  --requestheader-group-headers=X-Remote-Group --requestheader-username-headers=X-Remote-User \
  --proxy-client-cert-file=$PKI/front-proxy-client.crt --proxy-client-key-file=$PKI/front-proxy-client.key

# These two end when the API server has not made its roles yet, and are started again.
identity() {
  echo "--kubeconfig=$CONF/$1.conf --authentication-kubeconfig=$CONF/$1.conf --authorization-kubeconfig=$CONF/$1.conf"
}
# The autoscaler looks often and forgets soon: tests should not wait minutes for it.
keep kube-controller-manager "$BIN/kube-controller-manager" $(identity controller-manager) --leader-elect=false \
  --use-service-account-credentials --root-ca-file=$PKI/ca.crt --service-account-private-key-file=$PKI/sa.key \
  --cluster-signing-cert-file=$PKI/ca.crt --cluster-signing-key-file=$PKI/ca.key \
  --allocate-node-cidrs --cluster-cidr=10.244.0.0/16 --service-cluster-ip-range=10.96.0.0/16 \
  --horizontal-pod-autoscaler-sync-period=5s --horizontal-pod-autoscaler-downscale-stabilization=10s

keep kube-scheduler "$BIN/kube-scheduler" $(identity scheduler) --leader-elect=false

wait
