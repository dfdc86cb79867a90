#!/bin/bash
# Makes what a kind cluster needs from package registries alone, for a machine that can reach no image registry.
#
#   build.sh programs NAME...   kind, kubectl, helm into the cache's bin folder (Go, about a minute each, once)
#   build.sh base-image         debian:bookworm-slim, pulled or by debootstrap (root, debootstrap, a Docker engine)
#   build.sh node-image         kindest/node:$KUBERNETES and all it is made of (root, gcc, Go; about ten minutes, once)
#
# Everything is cached in ${MILLRACE_CACHE:-$HOME/.cache/millrace}/kind-node-$KUBERNETES.
# RECIPE, when set, is written into the node image's label dev.millrace.recipe.
set -euo pipefail
cd "$(dirname "$0")"
. ./versions
CACHE=${MILLRACE_CACHE:-$HOME/.cache/millrace}/kind-node-$KUBERNETES
BIN=$CACHE/bin
export CGO_ENABLED=0 GOBIN=$BIN
# Without buildx the client warns and falls back; with it the classic builder is not needed.
docker buildx version >/dev/null 2>&1 || export DOCKER_BUILDKIT=0
mkdir -p "$BIN"
scratch=$(mktemp -d)
loader=
trap 'rm -rf "$scratch"; [ -z "$loader" ] || docker rm -f "$loader" >/dev/null' EXIT

# A line that begins with "== " is shown to the person who waits; everything else is for the log.
say() { printf '== %s\n' "$*"; }

kubernetes_program() {
  local minor=${KUBERNETES#v1.} flags="-s -w" package names=()
  minor=${minor%%.*}
  # Without these flags every program calls itself v0.0.0 and kubeadm refuses it.
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    flags+=" -X $package.gitVersion=$KUBERNETES -X $package.gitMajor=1 -X $package.gitMinor=$minor"
  done
  for package in "$@"; do names+=("k8s.io/kubernetes/cmd/$package"); done
  (cd kubernetes && go build -trimpath -ldflags "$flags" -o "$BIN/" "${names[@]}")
}

programs() {
  local name
  for name in "$@"; do
    say "$name"
    case "$name" in
      kubectl) kubernetes_program kubectl ;;
      kind) go install -ldflags "-s -w" "sigs.k8s.io/kind@$KIND" ;;
      helm) go install -ldflags "-s -w -X helm.sh/helm/v3/internal/version.version=$HELM" "helm.sh/helm/v3/cmd/helm@$HELM" ;;
      *) echo "no such program: $name (kind, kubectl, helm)" >&2; exit 2 ;;
    esac
  done
}

base_image() {
  docker image inspect debian:bookworm-slim >/dev/null 2>&1 && return
  say "debian:bookworm-slim, pulled"
  timeout 120 docker pull -q debian:bookworm-slim && return
  say "debian:bookworm-slim, by debootstrap"
  debootstrap --variant=minbase bookworm "$scratch/root"
  rm -rf "$scratch"/root/var/cache/apt/archives/*.deb "$scratch"/root/var/lib/apt/lists/*
  tar -C "$scratch/root" -c . | docker import - debian:bookworm-slim
}

# What the node's programs are made of, as one line: they outlive the engine's images and are not made twice.
node_program_sources() {
  cat versions pause.c ./{kubernetes,etcd,coredns}/*.* | sha256sum
}

node_programs() {
  local made="$CACHE/made-node-programs"
  [ "$(cat "$made" 2>/dev/null)" != "$(node_program_sources)" ] || return 0
  say "Kubernetes $KUBERNETES"
  kubernetes_program kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubeadm kubectl
  say "etcd $ETCD"
  (cd etcd && go build -trimpath -ldflags "-s -w" -o "$BIN/etcd" go.etcd.io/etcd/server/v3)
  say "CoreDNS $COREDNS"
  (cd coredns && go build -trimpath -ldflags "-s -w" -o "$BIN/coredns" .)
  say "local-path-provisioner $LOCAL_PATH_PROVISIONER"
  go install -ldflags "-s -w" "github.com/rancher/local-path-provisioner@$LOCAL_PATH_PROVISIONER"
  gcc -O2 -static -o "$BIN/pause" pause.c
  node_program_sources >"$made"
}

# component IMAGE PROGRAM [BASE [INSTRUCTION]]: an image that runs one program.
component() {
  local context="$scratch/$2"
  mkdir "$context"
  cp "$BIN/$2" "$context/"
  printf 'FROM %s\n%s\nCOPY %s /usr/local/bin/\nENTRYPOINT ["/usr/local/bin/%s"]\n' "${3:-scratch}" "${4:-}" "$2" "$2" >"$context/Dockerfile"
  docker build -q -t "$1" "$context"
  rm -rf "$context"
  echo "$1" >>"$scratch/images"
}

component_images() {
  say "the images of Kubernetes's own pods"
  component "registry.k8s.io/kube-apiserver:$KUBERNETES" kube-apiserver
  component "registry.k8s.io/kube-controller-manager:$KUBERNETES" kube-controller-manager
  component "registry.k8s.io/kube-scheduler:$KUBERNETES" kube-scheduler
  component "registry.k8s.io/etcd:$ETCD" etcd
  component "registry.k8s.io/coredns/coredns:$COREDNS" coredns
  component "registry.k8s.io/kube-proxy:$KUBERNETES" kube-proxy debian:bookworm-slim \
    'RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends iptables nftables ipset conntrack kmod >/dev/null && rm -rf /var/lib/apt/lists/*'
  component millrace.dev/kind-node/storage:latest local-path-provisioner debian:bookworm-slim
  docker tag debian:bookworm-slim millrace.dev/kind-node/storage-helper:latest
  component "registry.k8s.io/pause:$PAUSE" pause
  docker tag "registry.k8s.io/pause:$PAUSE" "registry.k8s.io/pause:$PAUSE.1"
  printf '%s\n' millrace.dev/kind-node/storage-helper:latest "registry.k8s.io/pause:$PAUSE.1" >>"$scratch/images"
  xargs docker save -o "$scratch/images.tar" <"$scratch/images"
}

node_image() {
  say "the node image kindest/node:$KUBERNETES"
  local context="$scratch/node" kind_module
  mkdir "$context"
  kind_module=$(go mod download -json "sigs.k8s.io/kind@$KIND" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
  cp -r --no-preserve=mode "$kind_module/images/base/files" "$context/"
  cp Dockerfile cni-template.conf pod-network.service default-cni.yaml default-storage.yaml "$context/"
  cp "$BIN"/kube{adm,let,ctl} "$context/"
  docker build -q -t millrace.dev/kind-node/base:local --build-arg KUBERNETES_VERSION="$KUBERNETES" "$context"
  # The images must be in the node's own containerd before kubeadm starts: nothing can be pulled later.
  loader=$(docker run -d --privileged --tmpfs /run --entrypoint sleep -v "$scratch:/images:ro" millrace.dev/kind-node/base:local infinity)
  docker exec -d "$loader" containerd
  timeout 60 sh -c 'until docker exec "$0" ctr version >/dev/null 2>&1; do sleep 0.2; done' "$loader"
  docker exec "$loader" ctr -n k8s.io images import --no-unpack /images/images.tar
  docker exec "$loader" pkill -x containerd
  timeout 30 sh -c 'while docker exec "$0" pgrep -x containerd >/dev/null; do sleep 0.2; done' "$loader"
  docker commit -c 'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]' -c 'CMD []' \
    -c "LABEL dev.millrace.recipe=${RECIPE:-unknown}" "$loader" "kindest/node:$KUBERNETES"
}

case "${1:-}" in
  programs) shift; programs "$@" ;;
  base-image) base_image ;;
  node-image) node_programs; base_image; component_images; node_image ;;
  *) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
