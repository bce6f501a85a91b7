#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Run the KUnit tests of the series as User Mode Linux, which is the build without
# transparent huge pages, on the tree with the series applied.
# usage: kunit-uml.sh [build|exec]	only build the kernel, or only run it
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

# kunit.py wants a tree without build results in it, which ours is.
kunit()
{
	cd "$applied"
	python3 tools/testing/kunit/kunit.py "$1" --arch=um --build_dir="$build/uml" \
		--kunitconfig=mm/tests/vswap.kunitconfig \
		--kunitconfig="$top/configs/uml.config" "${@:2}"
}
compile=(--jobs="$jobs" "${compilers[@]/#/--make_options=}")
run=(--kernel_args=zswap.enabled=1 --raw_output=kunit 'vswap*')

# With raw output, kunit.py is content with whatever comes
judged()
{
	kunit "$@" && "$top/scripts/check-log.sh" "$build/uml/test.log"
}

lock_build
case ${1:-run} in
build) step "kernel uml: build" "$build/log/kernel-uml.log" kunit build "${compile[@]}" ;;
exec) judged exec "${run[@]}" ;;
run) judged run "${compile[@]}" "${run[@]}" ;;
*) die "usage: kunit-uml.sh [build|exec]" ;;
esac
