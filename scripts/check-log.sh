#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Fail if a kernel log has a warning or a report of a checker in it.
# usage: check-log.sh LOG
set -eu

reports='WARNING: |BUG: |BUG at |Oops|KASAN|UBSAN|KCSAN|kmemleak: [0-9]+ new|general protection|possible recursive locking|circular locking|inconsistent lock state|suspicious RCU|invalid context|INFO: task .* blocked|rcu:.*(stall|detected)|soft lockup|Bad page|bad_page|Bad swap|Decompression error|Kernel panic|sleeping function|ODEBUG|unreferenced object|page allocation failure'

if grep -E -n "$reports" "$1" | grep -v 'Command line' >&2; then
	echo "the kernel log has warnings: $1" >&2
	exit 1
fi
