#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Fail if a kernel log has a warning or a report of a checker in it.
# usage: check-log.sh LOG
set -eu

# Of a kernel that has not even come to its first line nothing is known
if ! grep -q 'Linux version' "$1"; then
	echo "this is no kernel log: $1" >&2
	exit 1
fi

reports='WARNING: |BUG: |BUG at |Oops|KASAN|UBSAN|KCSAN|kmemleak: [0-9]+ new|general protection|possible recursive locking|circular locking|inconsistent lock state|suspicious RCU|invalid context|INFO: task .* blocked|INFO: trying to register|turning off the locking|leak detector disabled|BUG [a-z]|vswap: no |messages dropped|rcu:.*(stall|detected)|soft lockup|Bad page|bad_page|Bad swap|Decompression error|Kernel panic|sleeping function|ODEBUG|unreferenced object|page allocation failure|zsmalloc: Class|bad p[mug4]d |EXT4-fs error'

# Debug kernels, and guests that run out of memory on purpose, may take their time for it.
# cgroup/test_zswap raises min_free_kbytes to half of the memory, and one page fault has to
# reclaim all of that.
grep -Eq 'KernelAddressSanitizer initialized|Command line:.* (only=vswap_oom|job=zswap)' "$1" ||
	reports="$reports|page allocation stall"

# A page fault of a process that the OOM killer has killed may empty the memory
# reserves it was given before it sees the signal. mm/page_alloc.c says so in the
# words of any other failure; only here is it no fault, and only once a process of that
# name was killed. Threads have numbers of their own, so it is the name that tells.
victims_excused()
{
	awk '
		match($0, /Killed process [0-9]+ \(.*\) total-vm:/) {
			name = substr($0, RSTART, RLENGTH)
			sub(/^[^(]*\(/, "", name)
			sub(/\) total-vm:$/, "", name)
			killed[name] = 1
		}
		match($0, /: page allocation failure: order:0, mode:0x[0-9a-f]+\(GFP_HIGHUSER_MOVABLE/) {
			name = substr($0, 1, RSTART - 1)
			sub(/^\[[^]]*\] /, "", name)
			if (name in killed) {
				print ""
				next
			}
		}
		{ print }' "$1"
}

# Pages that fail to be decompressed because a test wants it: either the test says from
# when and until when, or the kernel has reported the injected failure just before: a
# report with its stack has some 40 lines.
injected_excused()
{
	awk '
		/vswap_decompress: fails from now on/ { meant = 1 }
		/vswap_decompress: fails no more/ { meant = 0 }
		/^(\[[^]]*\] )?name fail_decompress,/ { reported = NR + 60 }
		/Decompression error/ && (meant || NR <= reported) {
			reported = 0
			print ""
			next
		}
		{ print }'
}

if victims_excused "$1" | injected_excused | grep -E -n "$reports" | grep -v 'Command line' >&2; then
	echo "the kernel log has warnings: $1" >&2
	exit 1
fi
