# What the scripts share; sourced, never run.  Needs bash.  Sets `root`, the root of the tree.
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
# Compiling two files at a time needs about 1 GB each.
jobs="${SPANWIRE_JOBS:-$(nproc)}"

# Packages of Debian 12.  `core` builds and runs everything; `full` adds the second compiler, the
# sanitizers, the fuzzer and the formatter.
core_packages=(g++ cmake ninja-build ccache pkg-config python3 git ca-certificates
  libasio-dev libspdlog-dev libfmt-dev libexpected-dev nlohmann-json3-dev libgtest-dev libcli11-dev
  libcpp-httplib-dev libssl-dev libprotozero-dev libsimdjson-dev python3-prometheus-client python3-msgpack python3-yaml libzmq3-dev
  python3-zmq libcurl4-openssl-dev libnghttp2-dev zlib1g-dev)
full_packages=("${core_packages[@]}" clang-19 clang-format-19 lld-19 llvm-19 libclang-rt-19-dev)

say() { printf '== %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo -n "$@"
  else die "needs root or sudo for: $*"
  fi
}

# quietly COMMAND...: shows its output only when it fails, else the last line (quietly_lines of them).
quietly() {
  local log status=0
  log="$(mktemp)"
  "$@" >"$log" 2>&1 </dev/null || status=$?
  if [ "$status" -eq 0 ]; then tail -n "${quietly_lines:-1}" "$log"; else cat "$log"; fi
  rm -f "$log"
  return "$status"
}

# retry COMMAND...: three attempts, for what goes over a network.
retry() {
  local attempt
  for attempt in 1 2 3; do
    "$@" && return 0
    say "attempt $attempt failed: $*"
    sleep $((attempt * 3))
  done
  return 1
}

# install_packages NAME...: installs what is missing; touches nothing when nothing is.
install_packages() {
  local name missing=()
  if ! command -v dpkg-query >/dev/null; then
    say "not a Debian system: the packages have to be there already: $*"
    return 0
  fi
  for name in "$@"; do
    dpkg-query -W -f '${db:Status-Status}\n' "$name" 2>/dev/null | grep -qx installed || missing+=("$name")
  done
  [ "${#missing[@]}" -eq 0 ] && return 0
  say "installing: ${missing[*]}"
  quietly retry apt update -qq >&2 || die "apt-get update failed"
  quietly retry apt install -y -qq --no-install-recommends "${missing[@]}" >&2 ||
    die "apt-get install failed: ${missing[*]}"
}

apt() { as_root env DEBIAN_FRONTEND=noninteractive apt-get "$@"; }

# Compile through ccache.  Paths below the tree are made relative, so that clones in other folders
# share objects as long as their build folders lie equally deep (build/<preset>).
use_ccache() {
  command -v ccache >/dev/null || return 0
  export CMAKE_CXX_COMPILER_LAUNCHER=ccache
  export CCACHE_BASEDIR="$root"
  export CCACHE_NOHASHDIR=1
  export CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
}

# configure PRESET [OPTION...]: into build/PRESET, quietly unless it fails.
configure() {
  local preset="$1"
  shift
  (cd "$root" && quietly cmake --preset "$preset" "$@") >&2 || die "cannot configure preset $preset"
}

# build PRESET [TARGET...]
build() {
  local preset="$1" targets=()
  shift
  [ "$#" -gt 0 ] && targets=(--target "$@")
  cmake --build "$root/build/$preset" --parallel "$jobs" "${targets[@]}" </dev/null
}
