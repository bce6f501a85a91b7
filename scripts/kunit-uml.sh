#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Run the KUnit tests of the series as User Mode Linux, which is the build without
# transparent huge pages, on the tree with the series applied.
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

# kunit.py wants a tree without build results in it, which ours is.
cd "$applied"
exec python3 tools/testing/kunit/kunit.py run --arch=um --build_dir="$build/uml" \
	--kunitconfig=mm/tests/vswap.kunitconfig \
	--kunitconfig="$top/configs/uml.config" --jobs="$jobs" \
	--make_options="CC=ccache gcc" --raw_output=kunit 'vswap*'
