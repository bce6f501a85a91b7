#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The main job: build the kernel, boot it without a swap device, push more memory
# than it has, verify every byte, and say so.
# usage: run.sh [MB]	of memory, and of a disk
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

"$top/scripts/prepare.sh" vswap
echo
start=$SECONDS
# On a slow machine, beside others, it takes ten minutes and more
if "$top/scripts/guest.sh" -t 1800 -m "${1:-512}M" -d "${1:-512}" vswap run; then
	echo
	echo "All data was right and the kernel log has no warning. ($((SECONDS - start)) s)"
else
	echo
	die "FAILED, console logs are in $build/log"
fi
