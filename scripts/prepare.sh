#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Bring everything up to date that a guest of a flavour needs.
# usage: prepare.sh [--kernel] FLAVOR...	--kernel: the kernel only
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

[ -z "${PREPARED:-}" ] || exit 0
guest=1
if [ "$1" = --kernel ]; then
	guest=''
	shift
fi

for flavor in "$@"; do
	check_flavor "$flavor"
done
lock_build
sets=(build ${guest:+guest})
for flavor in "$@"; do
	set_machine "$flavor"
	[ "$machine" = x86 ] || sets+=("$machine")
done
"$top/scripts/packages.sh" "${sets[@]}"
"$top/scripts/source.sh"
"$top/scripts/tree.sh"
for flavor in "$@"; do
	"$top/scripts/kernel.sh" "$flavor"
	[ -z "$guest" ] || "$top/scripts/initramfs.sh" "$flavor"
done
