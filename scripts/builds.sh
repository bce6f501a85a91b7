#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Build what the series touches in configurations that lack something, for arm64
# and with sparse, as KTAP. Any warning fails, in new files those of W=1 too.
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=scripts/series.sh
. "$top/scripts/series.sh"
# shellcheck source=scripts/objects.sh
. "$top/scripts/objects.sh"
# shellcheck source=scripts/config.sh
. "$top/scripts/config.sh"

lock_build
"$top/scripts/packages.sh" build check cross >&2
"$top/scripts/source.sh" >&2
"$top/scripts/tree.sh" >&2

mapfile -t new < <(series_new_files | grep -E '^(mm|drivers/dax)/[^/]*\.c$')
mapfile -t edited < <(objects_of $(series_edited_files))
inputs=$(config_key "$applied" "$(cat "$top/configs/guest.config" "$0")" \
	"$(aarch64-linux-gnu-gcc --version)")
n=0 rc=0

# built NAME OBJECT...: those objects that the configuration has
built()
{
	local o config=$build/builds/$1/.config
	shift

	for o in "$@"; do
		case $o in
		mm/cram*.o | mm/zswap_cram.o) grep -q '^CONFIG_CRAM=y' "$config" || continue ;;
		drivers/dax/cram.o) grep -q '^CONFIG_DEV_DAX_CRAM=y' "$config" || continue ;;
		mm/memory-tiers.o) grep -q '^CONFIG_NUMA=y' "$config" || continue ;;
		mm/huge_memory.o) grep -q '^CONFIG_TRANSPARENT_HUGEPAGE=y' "$config" || continue ;;
		mm/userfaultfd.o) grep -q '^CONFIG_USERFAULTFD=y' "$config" || continue ;;
		mm/page_io.o | mm/swap_state.o | mm/swapfile.o | mm/vswap*.o | mm/tests/vswap*.o | \
			mm/swap_cgroup.o)
			grep -q '^CONFIG_SWAP=y' "$config" || continue ;;
		mm/zswap.o) grep -q '^CONFIG_ZSWAP=y' "$config" || continue ;;
		# In place of virtual slots
		mm/zswap_tree.o)
			grep -q '^CONFIG_ZSWAP=y' "$config" || continue
			! grep -q '^CONFIG_VSWAP=y' "$config" || continue ;;
		mm/memcontrol.o) grep -q '^CONFIG_MEMCG=y' "$config" || continue ;;
		mm/memcontrol-v1.o) grep -q '^CONFIG_MEMCG_V1=y' "$config" || continue ;;
		kernel/power/*) grep -q '^CONFIG_HIBERNATION=y' "$config" || continue ;;
		esac
		echo "$o"
	done
}

# configure DIR "MAKE ARGUMENTS" BASE-CONFIG-GOAL [SYMBOL...]
configure()
{
	local dir=$1 args=$2 goal=$3 s
	shift 3

	# shellcheck disable=SC2086
	make -C "$applied" O="$dir" $args "$goal" || return 1
	{
		[ "$goal" != tinyconfig ] || cat "$top/configs/guest.config"
		printf '%s\n' CONFIG_VSWAP=y "$@"
	} >"$dir/fragment"
	"$applied/scripts/kconfig/merge_config.sh" -m -O "$dir" "$dir/.config" "$dir/fragment" ||
		return 1
	# shellcheck disable=SC2086
	make -C "$applied" O="$dir" $args olddefconfig || return 1
	for s in "$@"; do
		case $s in
		*=n) ! grep -q "^${s%=n}=" "$dir/.config" || { echo "error: $s not taken"; return 1; } ;;
		*) grep -qxF "$s" "$dir/.config" || { echo "error: $s not taken"; return 1; } ;;
		esac
	done
}

# compile NAME "MAKE ARGUMENTS" BASE-CONFIG-GOAL [SYMBOL...]: symbols as for merge_config
compile()
{
	local name=$1 args=$2 goal=$3 dir=$build/builds/$1 log=$build/log/build-$1.log
	local sparse=() ours
	shift 3

	# Debian's sparse is older than __typeof_unqual__
	[ "$name" != sparse ] ||
		sparse=(C=1 CF=-D__CHECK_ENDIAN__ "CHECK=sparse -D__typeof_unqual__=__typeof__")

	mkdir -p "$dir"
	{
		cached_config "$dir" "$(digest <<<"$inputs $args $goal $*")" \
			configure "$dir" "$args" "$goal" "$@" || return 1
		# An object that is there already would not show its warnings again
		(cd "$dir" && rm -f "${edited[@]}" "${new[@]/%.c/.o}")
		# shellcheck disable=SC2046,SC2086
		make -C "$applied" O="$dir" $args -j"$jobs" $(built "$name" "${edited[@]}") || return 1
		# Without any object, make would build all there is
		mapfile -t ours < <(built "$name" "${new[@]/%.c/.o}")
		# shellcheck disable=SC2086
		[ ${#ours[@]} -eq 0 ] || make -C "$applied" O="$dir" $args -j"$jobs" W=1 \
			"${sparse[@]}" "${ours[@]}"
	} >"$log" 2>&1 </dev/null || return 1
	# make goes on without sparse where it finds it unfit
	! diagnostics "$name" && ! grep 'not up to date' "$log"
}

# diagnostics NAME: what compiler and sparse said; sparse of our own files only,
# as the headers of the base have warnings of their own
diagnostics()
{
	local files='[^ ]*'

	[ "$1" != sparse ] || files='[^ ]*mm/((tests/)?vswap|cram)[^ ]*'
	grep -E "^$files\.[ch]:[0-9]+:([0-9]+:)? (warning|error):" "$build/log/build-$1.log"
}

t()
{
	n=$((n + 1))
	if compile "$@" >/dev/null; then
		echo "ok $n builds: $1"
	else
		echo "not ok $n builds: $1"
		grep -E '(\.[ch]:[0-9]+.*(warning|error):|^error:|\*\*\* |not up to date)' "$build/log/build-$1.log" | head -n 20 | sed 's/^/# /'
		rc=1
	fi
}

wrap=$build/ccache-bin
mkdir -p "$wrap"
for c in gcc aarch64-linux-gnu-gcc; do ln -sf "$(command -v ccache)" "$wrap/$c"; done
PATH=$wrap:$PATH

echo "TAP version 13"
t no-swap "" tinyconfig CONFIG_SWAP=n CONFIG_VSWAP=n
t no-zswap "" tinyconfig CONFIG_ZSWAP=n
t no-memcg "" tinyconfig CONFIG_MEMCG=n CONFIG_CRAM=y CONFIG_DEV_DAX_CRAM=y
t no-memcg-v1 "" tinyconfig CONFIG_MEMCG_V1=n
t no-thp "" tinyconfig CONFIG_TRANSPARENT_HUGEPAGE=n
t no-numa "" tinyconfig CONFIG_NUMA=n
t no-shmem "" tinyconfig CONFIG_SHMEM=n
t debug "" tinyconfig CONFIG_CRAM=y CONFIG_DEBUG_VM=y CONFIG_KUNIT=y CONFIG_VSWAP_KUNIT_TEST=y
t sparse "" tinyconfig CONFIG_CRAM=y CONFIG_DEBUG_VM=y CONFIG_KUNIT=y CONFIG_VSWAP_KUNIT_TEST=y
t arm64 "ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu-" defconfig CONFIG_ZSWAP=y CONFIG_MEMCG=y
echo "1..$n"
exit $rc
