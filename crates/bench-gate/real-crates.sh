#!/usr/bin/env bash
# Compares revisions of real crates, and writes a line of CSV for each comparison:
#   documentation  a commit that changes documentation alone: nothing is to be measured
#   rebuilt        a commit whose bench program has one more function, so that its code lies elsewhere
#   +10 %          a commit whose benches take 10 % longer
#
#   cargo install --path crates/bench-gate
#   crates/bench-gate/real-crates.sh FOLDER OUT.csv
#
# FOLDER holds clones of the crates below, by the names in the second column. ONLY=NAME takes one of them,
# BUDGET=SECONDS bounds each comparison.
#
# The 10 % come from criterion's clock: every crate is given its version of criterion with a clock that goes on for a
# tenth of the time measured, if there is a file `longer` in the package's folder. So both revisions have the same
# programs, and differ in a file that they read.
set -euo pipefail

folder=$(cd "$1" && pwd)
out=$(realpath "$2")
budget=${BUDGET:-150}
gate=${GATE:-cargo-bench-gate}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export BENCH_GATE_CACHE=$scratch/cache

# Name, clone, folder of the package, bench file that gets a function, and arguments that choose its benches.
crates='
itoa|itoa|.|benches/bench.rs|--case u64[max] --case i16[min]
httparse|httparse|.|benches/parse.rs|--case req_short --case resp_short
base64|rust-base64-04|.|benches/benchmarks.rs|--case decode_slice/50 --case encode_slice/500
crc32fast|rust-crc32fast|.|benches/bench.rs|
unicode-segmentation|unicode-segmentation|.|benches/words.rs|--bench words --bench word_bounds --case english
bstr|bstr|bench|src/bench.rs|--package bstr-bench --case small-ascii --case ru-tiny
quick-xml|quick-xml|.|benches/macrobenches.rs|--bench macrobenches --features serialize --case sample_1 --case linescore
phf_generator|rust-phf|phf_generator|benches/benches.rs|--package phf_generator --case gen_hash_small
png|image-png|.|benches/unfilter.rs|--features benchmarks --bench unfilter --bench expand_paletted --case filter=Sub
'

[ -f "$out" ] || {
  echo '# command: crates/bench-gate/real-crates.sh FOLDER OUT.csv'
  echo "# machine: $(awk -F': ' '/model name/ { print $2; exit }' /proc/cpuinfo), $(nproc) cores"
  echo "# commit: $(git -C "$(dirname "$0")" rev-parse --short=12 HEAD)"
  echo 'crate,commit,criterion,comparison,cases,pass,slower,faster,inconclusive,not_measured,exit,seconds_after_build'
} > "$out"

git_as() { git -c user.name=n -c user.email=e@example.org "$@"; }

# crc32fast's benches use the crate `bencher`; the same work under criterion 0.5.
port_crc32fast() {
  sed -i 's/^bencher = .*/criterion = "0.5"/' Cargo.toml
  cat > benches/bench.rs <<'END_OF_BENCH'
use crc32fast::Hasher;
use criterion::{black_box, criterion_group, criterion_main, BenchmarkId, Criterion};
use rand::Rng;

fn all(c: &mut Criterion) {
    for size in [1024, 65_536] {
        let mut bytes = vec![0u8; size];
        rand::thread_rng().fill(&mut bytes[..]);
        let hashers = [
            ("baseline", Hasher::internal_new_baseline(0, 0)),
            ("specialized", Hasher::internal_new_specialized(0, 0).unwrap()),
        ];
        for (name, hasher) in hashers {
            c.bench_with_input(BenchmarkId::new(name, size), &bytes, |b, bytes| {
                b.iter(|| {
                    let mut hasher = hasher.clone();
                    hasher.update(bytes);
                    black_box(hasher.finalize())
                })
            });
        }
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
END_OF_BENCH
}

# The registry's copy of the criterion that the lock names, with the other clock.
with_clock() {
  local version=$1 to=$2 from
  from=$(echo "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/criterion-"$version")
  cp -r "$from" "$to"
  python3 - "$to/src/measurement.rs" <<'END_OF_SCRIPT'
import sys
path = sys.argv[1]
text = open(path).read()
old = "fn end(&self, i: Self::Intermediate) -> Self::Value {\n        i.elapsed()"
assert text.count(old) == 1, path
text = text.replace(old, old.replace("i.elapsed()", "longer(i)"))
text += """
fn longer(start: std::time::Instant) -> std::time::Duration {
    static IS_LONGER: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    let took = start.elapsed();
    if *IS_LONGER.get_or_init(|| std::path::Path::new("longer").exists()) {
        while start.elapsed() < took.mul_f64(1.1) {}
        return start.elapsed();
    }
    took
}
"""
open(path, "w").write(text)
END_OF_SCRIPT
}

# A function of some 500 bytes that the linker must keep.
one_more_function() {
  {
    echo '#[used]'
    echo 'static GATE_KEEPS: fn(u64) -> u64 = gate_kept;'
    echo '#[inline(never)]'
    echo 'fn gate_kept(mut x: u64) -> u64 {'
    for n in $(seq 1 40); do echo "    x = (x ^ $n).wrapping_mul(0x9E37_79B9_7F4A_7C1$((n % 10))).rotate_left($n);"; done
    echo '    x'
    echo '}'
  } >> "$1"
}

commit() {
  git add --force --all
  git_as commit --quiet --message "$1"
  git tag "gate-$1"
}

compare() {
  local kind=$1 base=$2 head=$3 start seconds code=0 report counts
  shift 3
  report=$scratch/report
  rm -rf "$report"
  # Built before, so that the time is that of the comparison.
  "$gate" programs "$base" "$head" "${selection[@]}" > "$scratch/said" 2> "$scratch/log" || { cat "$scratch/log"; return; }
  tail -n 1 "$scratch/said"
  start=$(date +%s.%N)
  "$gate" ab "$base" "$head" "${arguments[@]}" --time-budget "$budget" --out "$report" "$@" > "$scratch/said" 2>&1 || code=$?
  seconds=$(echo "$(date +%s.%N) - $start" | bc)
  cat "$scratch/said"
  counts=$(python3 - "$report/verdicts.json" <<'END_OF_SCRIPT'
import collections, json, sys
try:
    assessments = json.load(open(sys.argv[1]))["assessments"]
except OSError:
    assessments = []
counts = collections.Counter(one["verdict"].replace(" ", "_").replace("-", "_").lower() for one in assessments)
print(",".join(str(n) for n in [len(assessments)] + [counts[name] for name in
    ["pass", "slower", "faster", "inconclusive", "not_measured"]]))
END_OF_SCRIPT
  )
  echo "$name,$commit,$version,$kind,$counts,$code,$(printf %.1f "$seconds")" | tee -a "$out"
}

while IFS='|' read -r name place package bench words; do
  [ -n "$name" ] || continue
  [ -z "${ONLY:-}" ] || [ "$ONLY" = "$name" ] || continue
  repository=$scratch/$name/repository
  mkdir -p "$scratch/$name"
  git clone --quiet "$folder/$place" "$repository"
  cd "$repository"
  commit=$(git rev-parse --short=12 HEAD)
  [ "$name" != crc32fast ] || port_crc32fast
  cp "$folder/$place/Cargo.lock" . 2> /dev/null || true
  cargo fetch --quiet
  version=$(awk '/^name = "criterion"$/ { getline; gsub(/[^0-9.]/, ""); print; exit }' Cargo.lock)
  # Within the workspace: cargo hashes other packages by their whole path, so that no two trees have equal programs.
  with_clock "$version" gate-criterion
  printf '\n[workspace]\n' >> gate-criterion/Cargo.toml
  printf '\n[patch.crates-io]\ncriterion = { path = "gate-criterion" }\n' >> Cargo.toml
  # Resolves the patch, so that every revision has the same lock.
  cargo metadata --format-version 1 > /dev/null 2>&1
  commit base
  echo >> README.md
  commit documentation
  git checkout --quiet gate-base
  one_more_function "$package/$bench"
  commit rebuilt
  git checkout --quiet gate-base
  touch "$package/longer"
  commit longer
  read -r -a arguments <<< "$words"
  # What chooses programs, without what chooses cases.
  selection=()
  for ((at = 0; at < ${#arguments[@]}; at++)); do
    if [ "${arguments[at]}" = --case ]; then ((++at)); else selection+=("${arguments[at]}"); fi
  done
  compare documentation gate-base gate-documentation
  compare rebuilt gate-base gate-rebuilt
  compare '+10 %' gate-base gate-longer
  cd "$scratch"
  rm -rf "$scratch/cache" "${scratch:?}/$name"
done <<< "$crates"
