# Stands in for a coding agent: notes the work for the change log, and on rework documents what the reviewer asked for.
set -eu
title=$(git log -1 --format=%s)
branch=$(sed -n 's/.*"head_branch": *"\([^"]*\)".*/\1/p' "$LOCKSTEP_CONTEXT" | head -n 1)
if grep -q '"rework"' "$LOCKSTEP_CONTEXT"; then
    # Every undocumented public function gets a line above it.
    awk '/^pub fn/ && last !~ /^\/\/\// {
             name = $3; sub(/\(.*/, "", name)
             print "/// Computes the " name " in cents; an order of at least 100 pieces counts as a large one."
         }
         { print; last = $0 }' src/lib.rs >src/lib.rs.new
    mv src/lib.rs.new src/lib.rs
    echo "documented every public function, as the review asked"
else
    mkdir -p "$(dirname "changes/$branch.md")"
    printf -- '- %s\n' "$title" >>"changes/$branch.md"
    echo "noted the change in changes/$branch.md"
fi
