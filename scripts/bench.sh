#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Compare what swapping costs with and without the series, in instructions and bytes
# a page: one CPU, and an emulator whose nanoseconds are instructions.
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

"$top/scripts/prepare.sh" base vswap
for flavor in base vswap; do
	VSWAP_ACCEL=tcg "$top/scripts/guest.sh" -i -c 1 -m 1G -t 1200 -d 320 \
		"$flavor" bench >"$build/log/bench-$flavor" ||
		die "bench on $flavor failed, see $build/log/bench-$flavor"
done

echo
echo "instructions or bytes a page            base    vswap"
paste -d: "$build/log/bench-base" "$build/log/bench-vswap" |
	awk -F: '{
		if ($1 != $3) { print "different legs: " $0; exit 1 }
		printf "%-36s %7s  %7s  (%.2f)\n", $1, $2, $4, $4 / $2
	}'
