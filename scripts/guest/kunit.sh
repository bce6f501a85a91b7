#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Show what the KUnit tests that ran at boot have found.
rc=0
for f in /sys/kernel/debug/kunit/vswap*/results; do
	cat "$f" || rc=1
	! grep -q 'not ok' "$f" || rc=1
done
exit $rc
