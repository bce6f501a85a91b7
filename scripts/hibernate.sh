#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Hibernate a guest with pages swapped out, and resume it in another one.
# usage: hibernate.sh [FLAVOR]
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

flavor=${1:-vswap}
disk=$(mktemp "$build/hibernate.XXXXXX")
trap 'rm -f "$disk"' EXIT
truncate -s 1G "$disk"

# Memory for a simulated device of compressed RAM is left out, alike in both
"$top/scripts/cram-sim.sh" "$flavor"
common=(-m 512M -t 600 -f "$disk" -e "$build/$flavor/cram/cram_sim.ko")
"$top/scripts/guest.sh" -o "${common[@]}" -a "memmap=16M\$0x18000000" "$flavor" hibernate
"$top/scripts/guest.sh" "${common[@]}" -a "memmap=16M\$0x18000000 resume=/dev/vda stage=2" \
	"$flavor" hibernate
