# Makes sure that the commit to compare with is here, whatever depth the checkout has, and tells which it is.
# BASE: commit, tag or branch.
set -euo pipefail

has() { git rev-parse --verify --quiet --end-of-options "$1^{commit}" > /dev/null; }

if ! has "$BASE" && [ "$(git rev-parse --is-shallow-repository)" = true ]; then
  # One commit more is enough for the parent of what is checked out.
  git fetch --quiet --no-tags --deepen=1 origin "$(git rev-parse HEAD)" || true
  if ! has "$BASE"; then
    git fetch --quiet --tags --unshallow origin || true
  fi
fi
# A branch is not in a checkout of another one.
if ! has "$BASE"; then
  git fetch --quiet --no-tags origin "+refs/heads/$BASE:refs/remotes/origin/$BASE" || true
  if has "origin/$BASE"; then
    BASE=origin/$BASE
  fi
fi
if ! has "$BASE"; then
  echo "::error title=bench-gate::$BASE names no commit here, and it could not be fetched; give actions/checkout fetch-depth: 0"
  exit 2
fi
commit=$(git rev-parse --verify --end-of-options "$BASE^{commit}")
echo "commit=$commit" >> "$GITHUB_OUTPUT"
