#!/usr/bin/env bash
# make.sh m1|m2 DIR: a checkpoint of random weights DIR/m1 and the bundle of it DIR/m1.moge, with
# int8 weights and an int8 head, for 16 sequences and 16384 positions. The checkpoint takes 5 GiB for
# m1 and 6 for m2, the bundle about half of that; the bytes are the same each time. MOGE names a
# program to use in place of one built from this tree.
set -euo pipefail
if [ $# -ne 2 ] || { [ "$1" != m1 ] && [ "$1" != m2 ]; }; then
	echo "usage: make.sh m1|m2 DIR" >&2
	exit 2
fi
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
moge=${MOGE:-$scratch/moge}
if [ -z "${MOGE:-}" ]; then
	go -C "$here/../.." build -o "$moge" ./cmd/moge
fi
mkdir -p "$2"
if [ ! -e "$2/$1" ]; then
	"$moge" synth --config "$here/$1.json" --seed 1 -o "$2/$1"
fi
"$moge" compile "$2/$1" --scheme w8a8-dynamic --head int8 --context 16384 --max-seqs 16 -o "$2/$1.moge"
