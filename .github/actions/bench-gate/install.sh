# Installs bench-gate from the repository that this action is of.
set -euo pipefail

source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../../crates/bench-gate" && pwd)
root=$RUNNER_TEMP/bench-gate
# From its own folder, so that the project's toolchain and configuration do not count.
(cd "$source" && cargo install --quiet --locked --path . --root "$root")
