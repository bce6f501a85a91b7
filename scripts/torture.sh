#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Torture of a flavour's kernel in a guest, as KTAP. TIME is seconds, SEED picks
# what is done, CPUS how many there are, WITHOUT what is left out ("errors,cpus").
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

flavor=${FLAVOR-debug}
check_flavor "$flavor" CONFIG_VSWAP
check_torture
time=${TIME:-300} cpus=${CPUS:-4} seed=${SEED:-$(date +%s)}
case $flavor in
debug) mem=$((448 + 64 * cpus)) hang=300 slack=900 ;;
*) mem=$((384 + 64 * cpus)) hang=180 slack=600 ;;
esac

# khugepaged has the lowest priority of all: while a single CPU is left, it may be
# preempted as a reader for longer than RCU thinks right.
stall=rcupdate.rcu_cpu_stall_timeout=150
# A guest that shares its processors may keep a task waiting for two minutes. Who is stuck
# for good is found by the program as well, when it ends.
hung=sysctl.kernel.hung_task_timeout_secs=$hang

"$top/scripts/prepare.sh" "$flavor"
echo "# make torture FLAVOR=$flavor TIME=$time SEED=$seed CPUS=$cpus${WITHOUT:+ WITHOUT=$WITHOUT}"
"$top/scripts/guest.sh" -m "${mem}M" -c "$cpus" -t $((time + slack)) \
	-a "$stall $hung torture_time=$time torture_seed=$seed torture_hang=$hang torture_without=${WITHOUT:-}" \
	"$flavor" torture
