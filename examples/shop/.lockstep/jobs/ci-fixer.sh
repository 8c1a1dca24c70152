# Stands in for an agent that repairs a red build: finds the boundary the failing test is about and includes it.
set -eu
if ! cargo test --quiet --offline >fixer.log 2>&1; then
    sed -i.old 's/pieces > LARGE/pieces >= LARGE/' src/lib.rs
    rm -f src/lib.rs.old
fi
rm -f fixer.log
cargo test --quiet --offline >/dev/null 2>&1 || { echo "the tests are still red"; exit 1; }
echo "an order of exactly 100 pieces is large too: the comparison now includes the boundary"
