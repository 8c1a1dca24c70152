# Runs the test suite and writes a structured report.
set -u
cargo test --offline >tester.log 2>&1
status=$?
outcomes=$(sed -n 's/^test \(.*\) \.\.\. ok$/{"name":"\1","status":"passed"},/p
                   s/^test \(.*\) \.\.\. FAILED$/{"name":"\1","status":"failed"},/p' tester.log | tr -d '\n' | sed 's/,$//')
passed=$(grep -c ' \.\.\. ok$' tester.log)
rm -f tester.log
if [ "$status" -eq 0 ]; then greenlight=true; else greenlight=false; fi
cat >"$LOCKSTEP_RESULT" <<JSON
{"output": "$passed tests passed",
 "report": {"greenlight": $greenlight, "summary": "$passed tests passed", "tested": ["cargo test"],
            "outcomes": [$outcomes], "concerns": [], "environment": "local"}}
JSON
