#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Build, at every step of the series, what the step touches, with CONFIG_VSWAP off
# and, where it exists, on, and then link the kernel. As KTAP; a warning fails.
# usage: bisect.sh [FIRST]: the number of the first step to be built
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=scripts/series.sh
. "$top/scripts/series.sh"
# shellcheck source=scripts/objects.sh
. "$top/scripts/objects.sh"

first=${1:-1}
case $first in '' | *[!0-9]*) wrong "$first is no number of a step" ;; esac
[ "$first" -le "$(series_patches | wc -w)" ] || wrong "there is no step $first"
lock_build
"$top/scripts/packages.sh" build >&2
"$top/scripts/source.sh" >&2

src=$build/bisect/linux
known='' off=''
n=0 rc=0

# The pristine tree, without history: steps are applied one after the other
rm -rf "$src"
mkdir -p "$build/bisect"
cp -al "$(readlink -f "$build/pristine")" "$src"
cd "$src"

compile()
{
	local out=$build/bisect/$1 log=$build/log/bisect.log
	shift

	# An object that is there already would not show its warnings again
	(cd "$out" && rm -f "$@")
	make -C "$src" O="$out" "${compilers[@]}" -j"$jobs" olddefconfig "$@" >"$log" 2>&1 </dev/null &&
		! grep -E '\.[ch]:[0-9]+:([0-9]+:)? (warning|error):' "$log"
}

configure()
{
	local out=$build/bisect/$1

	mkdir -p "$out"
	{
		make -C "$src" O="$out" tinyconfig
		cat "$top/configs/guest.config" "$top/configs/bisect.config" >"$out/fragment"
		printf '%s\n' "${@:2}" >>"$out/fragment"
		"$src/scripts/kconfig/merge_config.sh" -m -O "$out" "$out/.config" "$out/fragment"
	} >"$build/log/bisect.log" 2>&1
}

# The options that have come so far are switched on, and what is linked has their code
configured()
{
	local name

	for name in $known; do
		grep -qx "CONFIG_$name=y" "$build/bisect/on/.config" && continue
		echo "# CONFIG_$name could not be switched on"
		return 1
	done
}

echo "TAP version 13"
for p in $(series_patches); do
	series_apply_patch "$p"
	step=${p%%-*}
	[ "$((10#$step))" -ge "$first" ] || continue
	mapfile -t objects < <(objects_of $(series_files "$p"))
	for kind in off on; do
		if [ $kind = on ]; then
			[ -f mm/Kconfig.vswap ] || continue
			# Options that a step has brought can be switched on
			have=$(sed -nE 's/^config (VSWAP|CRAM|DEV_DAX_CRAM)$/\1/p' mm/Kconfig.vswap drivers/dax/Kconfig)
			[ "$have" = "$known" ] || configure on CONFIG_VSWAP=y CONFIG_CRAM=y \
				CONFIG_DEV_DAX_CRAM=y CONFIG_KUNIT=y CONFIG_KUNIT_ALL_TESTS=y
			known=$have
			# What is there in place of virtual slots is off
			mapfile -t want < <(printf '%s\n' "${objects[@]}" vmlinux | grep -v -e zswap_tree -e '^$')
		else
			# Not as an earlier run has left it
			[ -n "$off" ] || configure off "# CONFIG_VSWAP is not set"
			off=1
			mapfile -t want < <(printf '%s\n' "${objects[@]}" | grep -v -e mm/vswap -e cram -e '^$')
			# As long as there is no other kernel that is linked
			[ -f mm/Kconfig.vswap ] || want+=(vmlinux)
		fi
		[ "${#want[@]}" -gt 0 ] || continue
		n=$((n + 1))
		if compile $kind "${want[@]}" && { [ $kind = off ] || configured; }; then
			echo "ok $n ${p%.patch}, CONFIG_VSWAP $kind"
		else
			echo "not ok $n ${p%.patch}, CONFIG_VSWAP $kind"
			grep -E '(\.[ch]:[0-9]+.*(warning|error):|undefined reference|\*\*\* )' "$build/log/bisect.log" | head | sed 's/^/# /'
			rc=1
		fi
	done
done
echo "1..$n"
rm -rf "$src"
exit $rc
