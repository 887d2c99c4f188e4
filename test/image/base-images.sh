#!/usr/bin/env bash
# base-images.sh DIR: containers of this test's own under DIR, apart from whatever else podman has on this machine, and
# in them the images that the Dockerfile starts from. Where no registry answers, stand-ins of the same names are made of
# Debian's packages and npm's. Needs root. What is there already stays; the last line on stderr says what is missing.
set -euo pipefail
shopt -s nullglob
dir=$1
build_image=$2
run_image=$3
here=$(cd "$(dirname "$0")" && pwd)

mkdir -p "$dir"
cat >"$dir/storage.conf" <<END
[storage]
driver = "overlay"
graphroot = "$dir/store"
runroot = "/run/jwtgate-image-tests/$(printf %s "$dir" | cksum | cut -d ' ' -f 1)"
END
printf 'unqualified-search-registries = []\nshort-name-mode = "permissive"\n' >"$dir/registries.conf"
# No systemd is asked for: not for cgroups, not for the log. Limits are those that this process may give.
nofile=$(ulimit -Hn)
[ "$nofile" = unlimited ] && nofile=65536
cat >"$dir/containers.conf" <<END
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
infra_image = "localhost/pause:test"
$(command -v runc >/dev/null && echo 'runtime = "runc"') # crun 1.8 refuses machines that mix cgroups v1 and v2
[containers]
log_driver = "k8s-file"
default_ulimits = ["nofile=$nofile:$nofile", "nproc=8192:8192"]
END
export CONTAINERS_STORAGE_CONF=$dir/storage.conf CONTAINERS_CONF=$dir/containers.conf
export CONTAINERS_REGISTRIES_CONF=$dir/registries.conf

has() { podman image exists "$1"; }
pulled() { has "$1" || timeout 120 podman pull --quiet "$1" >/dev/null 2>&1; }
fail() {
  echo "$*" >&2
  exit 1
}

# Packages that debootstrap fetched, unpacked: as a distroless image is made.
unpack_into() {
  local root=$1 package archives
  shift
  for package; do
    archives=("$debian/var/cache/apt/archives/${package}"_*.deb)
    dpkg-deb -x "${archives[0]}" "$root"
  done
  rm -rf "$root"/usr/share/{doc,man,lintian}
}

path='PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
import() { # NAME ROOT CHANGE...
  local name=$1 root=$2 changes=() change
  shift 2
  for change in "ENV $path" "$@"; do changes+=(--change "$change"); done
  tar -C "$root" -c . | podman import --quiet "${changes[@]}" - "$name" >/dev/null
}

make_debian() {
  [ -e "$debian/made" ] && return
  command -v debootstrap >/dev/null || fail 'debootstrap is not installed'
  local mirror
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' | sed -n 1p)
  [ -n "$mirror" ] || fail 'apt knows no mirror of Debian 12'
  rm -rf "$debian"
  timeout 240 debootstrap --variant=minbase --include=ca-certificates,libstdc++6,libgomp1,tzdata bookworm "$debian" "$mirror" \
    >"$dir/debootstrap.log" || fail "debootstrap: $(tail -n 1 "$dir/debootstrap.log")"
  rm -rf "$debian"/var/lib/apt/lists/*
  touch "$debian/made"
}

# Debian, with the Node of this repository and an npm.
make_build_image() {
  local root=$dir/node arch
  rm -rf "$root"
  cp -a "$debian" "$root"
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root/made"
  case $(uname -m) in aarch64) arch=arm64 ;; *) arch=x64 ;; esac
  # The Dockerfile installs libatomic1 for the pinned Node; this one, which comes before, needs it as well.
  cp -L /usr/lib/*-linux-gnu/libatomic.so.1 "$root/usr/local/lib/"
  install -m 755 "$here/../../node_modules/node-linux-$arch/bin/node" "$root/usr/local/bin/node"
  mkdir -p "$root/usr/local/lib/node_modules"
  (cd "$dir" && npm pack --silent npm@11 >/dev/null && tar -xzf npm-*.tgz -C "$root/usr/local/lib/node_modules" && rm npm-*.tgz)
  mv "$root/usr/local/lib/node_modules/package" "$root/usr/local/lib/node_modules/npm"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
  # Where a proxy opens TLS, the machine trusts it, and the build has to.
  cp -L "${NODE_EXTRA_CA_CERTS:-/etc/ssl/certs/ca-certificates.crt}" "$root/etc/ssl/certs/machine.crt"
  chroot "$root" ldconfig
  import "$build_image" "$root" 'ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/machine.crt' 'CMD ["node"]'
  rm -rf "$root"
}

# glibc, libgcc, libstdc++, certificates, time zones, a user; no shell, and no libatomic.
make_run_image() {
  local root=$dir/distroless
  rm -rf "$root"
  mkdir -p "$root"/etc/ssl/certs "$root"/{tmp,root,home/nonroot}
  unpack_into "$root" libc6 libgcc-s1 libstdc++6 libgomp1 tzdata
  chmod 1777 "$root/tmp"
  chown 65532:65532 "$root/home/nonroot"
  cp -L "$debian/etc/ssl/certs/ca-certificates.crt" "$root/etc/ssl/certs/"
  printf 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n' >"$root/etc/passwd"
  printf 'root:x:0:\nnonroot:x:65532:\n' >"$root/etc/group"
  printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
  import "$run_image" "$root" 'USER 65532' 'WORKDIR /home/nonroot' 'ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt'
  rm -rf "$root"
}

# What holds a pod's namespaces: something that sleeps, with the libraries it needs.
make_pause_image() {
  local root=$dir/pause
  rm -rf "$root"
  mkdir -p "$root/bin"
  unpack_into "$root" libc6
  cp /bin/sleep "$root/bin/"
  import localhost/pause:test "$root" 'USER 65535' 'ENTRYPOINT ["/bin/sleep", "infinity"]'
  rm -rf "$root"
}

debian=$dir/debian
podman info >"$dir/info.log" 2>&1 || fail "podman: $(tail -n 1 "$dir/info.log")"
if ! pulled "$build_image"; then make_debian && make_build_image; fi
if ! pulled "$run_image"; then make_debian && make_run_image; fi
if ! has localhost/pause:test; then make_debian && make_pause_image; fi
podman run --rm --network host localhost/pause:test --help >"$dir/try.log" 2>&1 || fail "containers don't run here: $(tail -n 1 "$dir/try.log")"
