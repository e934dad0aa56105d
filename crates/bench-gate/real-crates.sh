#!/usr/bin/env bash
# Compares revisions of real crates, and writes a line of CSV for each comparison: unchanged code measured although
# the programs are the same, a commit that changes documentation alone, and one whose benches take 10 % longer.
#
#   cargo install --path crates/bench-gate
#   crates/bench-gate/real-crates.sh FOLDER OUT.csv
#
# FOLDER holds clones of the crates below, with their dependencies fetched. The 10 % come from criterion's clock: every
# crate is given its version of criterion with a clock that goes on for a tenth of the time measured, if there is a
# file `longer` in the package's folder. So both revisions have the same programs, and differ in a file that they read.
set -euo pipefail

folder=$(cd "$1" && pwd)
out=$(realpath "$2")
budget=${BUDGET:-240}
gate=${GATE:-cargo-bench-gate}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export BENCH_GATE_CACHE=$scratch/cache

# Name, folder, commit, package folders, and arguments that choose its benches.
crates='
itoa|itoa|HEAD|.|
httparse|httparse|HEAD|.|--case req_short --case resp_short --case uri --case header
base64|rust-base64-04|HEAD|.|--case /32 --case /1024
unicode-segmentation|unicode-segmentation|HEAD|.|--bench words --bench word_bounds --case english
phf_generator|rust-phf|HEAD|phf_generator|--package phf_generator
png|image-png|HEAD|.|--features benchmarks --bench unfilter --bench expand_paletted
'

[ -f "$out" ] || echo 'crate,commit,criterion,comparison,cases,pass,slower,faster,inconclusive,exit,seconds_after_build' > "$out"

git_as() { git -c user.name=n -c user.email=e@example.org "$@"; }

# The registry's copy of the criterion that the lock names, with the other clock.
with_clock() {
  local version=$1 to=$2 from
  from=$(echo "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/criterion-"$version")
  cp -r "$from" "$to"
  python3 - "$to/src/measurement.rs" <<'END'
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
END
}

compare() {
  local kind=$1 base=$2 head=$3 start seconds code=0 report
  shift 3
  report=$scratch/report
  rm -rf "$report"
  # Built before, so that the time is that of the comparison.
  "$gate" programs "$base" "$head" "${selection[@]}" > /dev/null 2> "$scratch/log" || { cat "$scratch/log"; return; }
  start=$(date +%s.%N)
  "$gate" ab "$base" "$head" "${arguments[@]}" --time-budget "$budget" --out "$report" "$@" > "$scratch/said" 2>&1 || code=$?
  seconds=$(echo "$(date +%s.%N) - $start" | bc)
  cat "$scratch/said"
  count() { { grep -o "\"verdict\": *\"$1\"" "$report/verdicts.json" 2> /dev/null || true; } | wc -l; }
  local counts=("$(count pass)" "$(count slower)" "$(count faster)" "$(count inconclusive)")
  local cases=$((counts[0] + counts[1] + counts[2] + counts[3]))
  echo "$name,$commit,$version,$kind,$cases,${counts[0]},${counts[1]},${counts[2]},${counts[3]},$code,$(printf %.1f "$seconds")" | tee -a "$out"
}

while IFS='|' read -r name place revision package words; do
  [ -n "$name" ] || continue
  [ -z "${ONLY:-}" ] || [ "$ONLY" = "$name" ] || continue
  repository=$scratch/$name/repository
  mkdir -p "$scratch/$name"
  git clone --quiet "$folder/$place" "$repository"
  cd "$repository"
  git checkout --quiet --detach "$revision"
  commit=$(git rev-parse --short=12 HEAD)
  [ -f Cargo.lock ] || cargo generate-lockfile --quiet --offline
  version=$(awk '/^name = "criterion"$/ { getline; gsub(/[^0-9.]/, ""); print; exit }' Cargo.lock)
  with_clock "$version" "$scratch/$name/criterion"
  printf '\n[patch.crates-io]\ncriterion = { path = "../criterion" }\n' >> Cargo.toml
  git add --force --all
  git_as commit --quiet --message base
  git tag gate-base
  echo >> README.md
  git add --all
  git_as commit --quiet --message documentation
  git tag gate-documentation
  touch "$package/longer"
  git add --force --all
  git_as commit --quiet --message longer
  git tag gate-longer
  read -r -a arguments <<< "$words"
  selection=()
  skip=0
  for word in "${arguments[@]}"; do
    if [ "$skip" = 1 ]; then skip=0; continue; fi
    if [ "$word" = --case ]; then skip=1; else selection+=("$word"); fi
  done
  compare documentation gate-base gate-documentation
  compare unchanged gate-base gate-documentation --always
  compare '+10 %' gate-base gate-longer
  cd "$scratch"
  rm -rf "$scratch/cache" "${scratch:?}/$name"
done <<< "$crates"
