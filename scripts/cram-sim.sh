#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Build the simulated device of compressed RAM for a flavour's kernel:
# $build/FLAVOR/cram/cram_sim.ko
# usage: cram-sim.sh FLAVOR
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

[ -z "${PREPARED:-}" ] || exit 0
flavor=$1
module=$build/$flavor/cram
set_machine "$flavor"

build_module()
{
	mkdir -p "$module"
	make -C "$applied" O="$build/$flavor" M="$applied/tools/testing/cram" MO="$module" \
		"${compilers[@]}" -j"$jobs" modules
}

lock_build
"$top/scripts/kernel.sh" "$flavor" "$(basename "$image")" modules
step "cram_sim $flavor: build" "$build/log/cram-$flavor.log" build_module
