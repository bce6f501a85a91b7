#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Test compressed RAM in guests of its own: on simulated devices, for which a part of
# the guest's memory is left out, on the memory of an emulated CXL device, before zswap
# is on, with two NUMA nodes, and, with VSWAP_ALL, on a device of a million pages. With
# FLAVOR latency only the last one, which tells the longest times without preemption.
# usage: cram.sh [-t SECONDS] [FLAVOR]
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

limit=600
while getopts t: opt; do
	case $opt in
	t) limit=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
flavor=${1-vswap}
check_flavor "$flavor" CONFIG_CRAM

"$top/scripts/prepare.sh" "$flavor"
"$top/scripts/cram-sim.sh" "$flavor"

sim=$build/$flavor/cram/cram_sim.ko

# big OPTION...: a device of a million pages
big()
{
	"$top/scripts/guest.sh" "$@" -e "$sim" -m 6G \
		-a "only=vswap_big memmap=4G\$0x100000000 cram_big=0x100000000" \
		"$flavor" kselftest
}

# has SYMBOL: is it built in?
has()
{
	grep -q "^$1=y" "$build/$flavor/.config"
}

# That is all that this flavour is for; microseconds are a thousand instructions then
if has CONFIG_PREEMPT_TRACER; then
	big -i -c 1 -t $((3 * limit))
	exit
fi

# Below what boot needs, above what the kernel takes for itself
at=(0x20000000 0x24000000)
memory="memmap=64M\$${at[0]} memmap=64M\$${at[1]} cram=${at[0]},${at[1]}"
rc=0
"$top/scripts/guest.sh" -x -e "$sim" -m 1G -t "$limit" -a "only=vswap_c[rx]* $memory" \
	"$flavor" kselftest || rc=$?
"$top/scripts/guest.sh" -n -e "$sim" -m 1G -t "$limit" \
	-a "zswap=off only=vswap_[en][au]* $memory" \
	"$flavor" kselftest || rc=$?
# KASAN would take an eighth as much of the guest's memory
if [ -n "${VSWAP_ALL:-}" ] && ! has CONFIG_KASAN; then
	big -t "$limit" || rc=$?
fi
exit $rc
