#!/bin/bash
# Runs in a container of its own, before there is a node: a container runtime that takes in the images with which every
# node begins, until it is told to end. To unpack them takes longest of all that a cluster's start takes.
set -u
. /cluster/node/common.sh

store() {
  kill "$runtime"
  wait "$runtime"
  rm -rf "$IMAGES/kept"
  mv "$IMAGES/part" "$IMAGES/kept"
  exit
}

rm -rf "$IMAGES/part"
trap store TERM
containerd --config /cluster/node/containerd.toml --root "$IMAGES/part" >/var/log/containerd.log 2>&1 &
runtime=$!
wait "$runtime"
