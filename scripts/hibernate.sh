#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Hibernate a guest with pages swapped out, and resume it in another one.
# usage: hibernate.sh [FLAVOR]
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

disk=$(mktemp "$build/hibernate.XXXXXX")
trap 'rm -f "$disk"' EXIT
truncate -s 1G "$disk"

"$top/scripts/guest.sh" -o -m 512M -t 300 -f "$disk" "${1:-vswap}" hibernate
"$top/scripts/guest.sh" -m 512M -t 300 -f "$disk" -a "resume=/dev/vda stage=2" \
	"${1:-vswap}" hibernate
