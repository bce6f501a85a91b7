#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Build mm/ without CONFIG_VSWAP, and see that it would link: that nothing is used
# there which only the kernel with it has. That one is built already.
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

lock_build
"$top/scripts/kernel.sh" off mm/

# symbols FLAVOR NM-OPTION: of all of its mm/
symbols()
{
	cd "$build/$1" && nm -j "$2" mm/built-in.a | grep -v '[: ]' | sort -u
}

missing=$(comm -12 <(comm -23 <(symbols off --undefined-only) <(symbols off --defined-only)) \
	<(symbols vswap --defined-only))
[ -z "$missing" ] || die "without CONFIG_VSWAP there is no" "$missing"
