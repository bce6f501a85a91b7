#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Test that memory tags, as arm64 has them, stay with their pages, and with nobody else's,
# when these go to compressed RAM: on simulated devices, for which a part of the guest's
# memory is left out.
# usage: mte.sh [-t SECONDS]
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

limit=600
while getopts t: opt; do
	case $opt in
	t) limit=$OPTARG ;;
	*) exit 2 ;;
	esac
done

"$top/scripts/prepare.sh" arm64
"$top/scripts/cram-sim.sh" arm64

# Memory begins at 1 GB. What is behind the first 512 MB is nobody's.
exec "$top/scripts/guest.sh" -e "$build/arm64/cram/cram_sim.ko" -m 768M -t "$limit" \
	-a "only=vswap_mte mem=512M cram=0x60000000,0x64000000" arm64 kselftest
