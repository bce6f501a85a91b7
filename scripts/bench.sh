#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Compare what swapping costs with and without the series, in instructions and bytes
# a page: one CPU, and an emulator whose nanoseconds are instructions.
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

# To the end: results of both are kept in $build/log
lock_build
"$top/scripts/prepare.sh" base vswap
for flavor in base vswap; do
	"$top/scripts/guest.sh" -i -c 1 -m 1G -t 1200 -d 320 \
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

# What compressed RAM costs those who have none, and saves those who have some. A zero
# page goes the same way but for the store.
"$top/scripts/prepare.sh" nocram
for flavor in nocram vswap; do
	"$top/scripts/guest.sh" -x -i -c 1 -m 1G -t 1200 \
		"$flavor" bench-cram >"$build/log/bench-cram-$flavor" ||
		die "bench-cram on $flavor failed, see $build/log/bench-cram-$flavor"
done

echo
echo "instructions a page                  CRAM=n   CRAM=y"
paste -d: "$build/log/bench-cram-nocram" "$build/log/bench-cram-vswap" |
	awk -F: '
		$1 == "" { printf "%-36s %7s  %7s\n", $2, "", $3; cost[$2] = $3; next }
		$1 != $3 { print "different legs: " $0; exit 1 }
		{ printf "%-36s %7s  %7s  (%.4f)\n", $1, $2, $4, $4 / $2; cost[$1] = $4 }
		END {
			zero = cost["zswap, zero, page out"]
			device = cost["compressed RAM, 25 % random, page out"] - zero
			lz4 = cost["zswap, 25 % random, page out"] - zero
			printf "%-36s %7s  %7.2f\n", "store, compressed RAM by zswap lz4", "", device / lz4
		}'
