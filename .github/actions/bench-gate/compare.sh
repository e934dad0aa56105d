# Compares BASE and HEAD, and says where the report is. The command writes the job's summary and annotations itself.
# ARGUMENTS and COMMAND: one word a line. TIME_BUDGET: seconds.
set -uo pipefail

command=()
while IFS= read -r word; do
  if [ -n "$word" ]; then command+=("$word"); fi
done <<< "$COMMAND"
if [ ${#command[@]} -eq 0 ]; then
  command=("$RUNNER_TEMP/bench-gate/bin/cargo-bench-gate")
fi
arguments=()
while IFS= read -r word; do
  if [ -n "$word" ]; then arguments+=("$word"); fi
done <<< "$ARGUMENTS"

folder=$RUNNER_TEMP/bench-gate-report
rm -rf "$folder"
"${command[@]}" ab "$BASE" "$HEAD" --time-budget "$TIME_BUDGET" --out "$folder" ${arguments[@]+"${arguments[@]}"}
code=$?
# The page is part of the artifact; that it cannot be drawn is no verdict.
if [ -f "$folder/verdicts.json" ]; then
  "${command[@]}" report "$folder" > /dev/null || true
fi

{
  echo "exit-code=$code"
  if [ -d "$folder" ]; then echo "folder=$folder"; fi
  if [ -f "$folder/summary.md" ]; then
    # GitHub takes comments of 65,536 characters.
    head -c 65000 "$folder/summary.md" > "$folder/comment.md"
    echo "comment=$folder/comment.md"
  fi
} >> "$GITHUB_OUTPUT"
exit $code
