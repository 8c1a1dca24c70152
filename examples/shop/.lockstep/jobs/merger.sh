# Stands in for an assessing model: the larger the change, the higher its scores.
set -eu
base=$(git merge-base HEAD main)
lines=$(git diff --numstat "$base" HEAD | awk '{ n += $1 + $2 } END { print n + 0 }')
score=$(awk -v n="$lines" 'BEGIN { s = n / 400; printf "%.2f", (s > 1 ? 1 : s) }')
cat >"$LOCKSTEP_RESULT" <<JSON
{"output": "$lines lines changed",
 "report": {"complexity": $score, "risk": $score, "impact": $score, "rationale": "$lines lines in a tested module"}}
JSON
