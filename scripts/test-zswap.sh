#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The kernel's own cgroup/test_zswap on the release kernel, with a swap device.
#
# More memory than other guests have: below 640 MB a buffer of test_no_kmem_bypass
# stays on the heap of the test, whose next part then finds its memory charged already.
# One processor, and chrt, for what zswap.sh says.
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

chrt=$(command -v chrt)
libraries=()
while read -r library; do libraries+=(-e "$library"); done \
	< <(ldd "$chrt" | grep -o '/[^ ]*')
"$top/scripts/guest.sh" -c 1 -m 768M -t 1200 -d 512 -e "$chrt" "${libraries[@]}" \
	"${1:-vswap}" zswap
