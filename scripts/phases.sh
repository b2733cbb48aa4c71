# Shared by scripts/test, scripts/demo and scripts/bench, which source it: named and timed steps.

phase_times=()

# One compiler cache for all checkouts: paths below this one are looked up relative to it.
export CCACHE_BASEDIR=${CCACHE_BASEDIR:-$PWD} CCACHE_NOHASHDIR=${CCACHE_NOHASHDIR:-true}

# phase NAME COMMAND...: runs it, prints how long it took, and ends the script with its exit code if it failed.
phase() {
  local name=$1 begin=$SECONDS code=0
  shift
  printf '== %s: %s\n' "$name" "$*"
  "$@" < /dev/null || code=$?
  phase_times+=("$name $((SECONDS - begin)) s")
  if ((code != 0)); then
    printf '== %s failed with exit code %d after %d s\n' "$name" "$code" "$((SECONDS - begin))" >&2
    print_phase_times
    exit "$code"
  fi
  printf '== %s: done in %d s\n' "$name" "$((SECONDS - begin))"
}

print_phase_times() {
  local text
  text=$(printf ', %s' "${phase_times[@]}")
  printf '== times: %s; together %d s\n' "${text:2}" "$SECONDS"
}

# configure PRESET [CMAKE ARGUMENT]...
configure() {
  local preset=$1
  shift
  mkdir -p "build/$preset"
  cmake --preset "$preset" "$@" > "build/$preset/configure.log" 2>&1 || {
    cat "build/$preset/configure.log" >&2
    return 1
  }
}

# One job per core, but no more than memory allows: a large translation unit takes up to 1.5 GB.
jobs_that_fit() {
  local cores memory_gb
  cores=$(nproc)
  memory_gb=$(awk '/^MemAvailable/ {print int($2 / 1048576 / 1.5)}' /proc/meminfo)
  ((memory_gb >= 1)) || memory_gb=1
  printf '%d\n' "$((cores < memory_gb ? cores : memory_gb))"
}

# Downloads what the test services need before any test is on its clock. Not fatal here: the tests themselves skip or
# fail, whichever is right, and say why.
install_services() {
  tests/services/kafka tools-classpath > /dev/null || true
  tests/services/python readers > /dev/null || true
  tests/services/python iceberg > /dev/null || true
  tests/services/s3 install > /dev/null || true
  tests/services/azure install > /dev/null || true
  tests/services/promtool install > /dev/null || true
}
