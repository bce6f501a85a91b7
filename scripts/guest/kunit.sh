#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Show what the KUnit tests that ran at boot have found.
rc=0
for suite in vswap vswap_backing vswap_slots vswap_validate; do
	f=/sys/kernel/debug/kunit/$suite/results
	cat "$f" || rc=1
	! grep -q 'not ok' "$f" || rc=1
done
exit $rc
