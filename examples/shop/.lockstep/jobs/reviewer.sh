# Stands in for a reviewing model: grades the change by whether each public function says what it does.
set -eu
undocumented=$(awk '/^pub fn/ && last !~ /^\/\/\// { name = $3; sub(/\(.*/, "", name); print name } { last = $0 }' src/*.rs)
if [ -n "$undocumented" ]; then
    names=$(echo "$undocumented" | tr '\n' ' ' | sed 's/ $//')
    grade="{\"rating\": 0.6, \"summary\": \"say in a doc comment what these public functions do: $names\"}"
else
    grade='{"rating": 0.92, "summary": "small, tested and documented"}'
fi
printf '{"output": "%s"}' "$(printf '%s' "$grade" | sed 's/"/\\"/g')" >"$LOCKSTEP_RESULT"
