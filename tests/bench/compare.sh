#!/usr/bin/env bash
# Measures one program against others; `tests/bench/compare.sh -help` says how, RESULTS.md what is
# done. It may be run from any folder, to which paths in the commands refer.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
go -C "$root" build -o "$scratch/compare" ./tests/bench/compare
"$scratch/compare" "$@"
