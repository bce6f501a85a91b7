#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# cgroup v1: the memory+swap counter counts every page that is swapped out,
# whatever holds it, and its limit holds.
# shellcheck source=scripts/guest/ktap.sh
. "$(dirname "$0")/ktap.sh"
cg=/tmp/v1/test

# The controller has to leave the v2 hierarchy first
echo "-memory" >/sys/fs/cgroup/cgroup.subtree_control
umount /sys/fs/cgroup
mkdir -p /tmp/v1
mount -t cgroup -o memory memory /tmp/v1 || { echo "not ok 1 mount cgroup v1"; exit 1; }
mkdir $cg
echo 1 >/sys/module/zswap/parameters/enabled

# push_watched MB KEY: push that much, twice; sets status, and most and held to the
# most that memory+swap counted and that the statistic KEY of vswap said meanwhile
push_watched()
{
	sh -c "echo 0 >$cg/cgroup.procs; exec /tests/vswap/push -r 2 $1" >/tmp/push.out 2>&1 &
	push=$!
	most=0 held=0
	while kill -0 $push 2>/dev/null; do
		v=$(cat $cg/memory.memsw.usage_in_bytes)
		[ "$v" -le "$most" ] || most=$v
		v=$(awk -v k="$2" '$1 == k { print $2 }' /sys/kernel/debug/vswap/stats)
		[ "$v" -le "$held" ] || held=$v
		sleep 0.2
	done
	wait $push
	status=$?
	cat /tmp/push.out
}

# usage_falls: wait until memory+swap counts 2 MB at the most; sets usage
usage_falls()
{
	i=0
	while usage=$(cat $cg/memory.memsw.usage_in_bytes) &&
		[ "$usage" -gt $((2 << 20)) ] && [ $i -lt 25 ]; do
		sleep 0.2
		i=$((i + 1))
	done
}

echo "TAP version 13"
echo "1..13"
echo 24M >$cg/memory.limit_in_bytes
echo 120M >$cg/memory.memsw.limit_in_bytes
push_watched 80 slots_zswap
ok "data is right with three times the memory" $((status == 0)) "exit status $status"
ok "pages are in zswap" $((held > 1000)) "$held"
ok "memory+swap counts them" $((most > 75 << 20)) "$most bytes at the most"
usage_falls
ok "and gives back what is freed" $((usage <= 2 << 20)) "$usage bytes"
sh -c "echo 0 >$cg/cgroup.procs; exec /tests/vswap/push 160" >/dev/null 2>&1
status=$?
ok "the limit of memory+swap holds" $((status == 137)) "exit status $status"

# The same with every page on a disk, which must not count twice
mkswap /dev/ram0 >/dev/null && swapon /dev/ram0
echo 0 >/sys/module/zswap/parameters/enabled
echo always >/sys/kernel/mm/vswap/mode
push_watched 60 slots_phys
ok "data on a disk is right" $((status == 0)) "exit status $status"
ok "pages are on the disk" $((held > 4000)) "$held"
ok "memory+swap counts them once" $((most > 55 << 20 && most < 80 << 20)) "$most bytes at the most"
swapoff /dev/ram0
ok "the disk can be switched off" $(($? == 0)) ""

# A disk that can't be read for a while: what was on it is read by somebody else, which
# ends no process
disk=/sys/kernel/config/nullb/memsw
mount -t configfs configfs /sys/kernel/config
mkdir $disk
echo 64 >$disk/size
for f in memory_backed power; do echo 1 >$disk/$f; done
mkswap /dev/memsw >/dev/null && swapon /dev/memsw
sh -c "echo 0 >$cg/cgroup.procs; exec /tests/vswap/push -w -p random 48" >/tmp/push.out 2>&1 &
push=$!
i=0
while ! grep -q filled /tmp/push.out && [ $i -lt 300 ]; do
	sleep 0.2
	i=$((i + 1))
done
start=0
while IFS='- ' read -r from to _; do
	[ $((0x$to - 0x$from)) -lt $((48 << 20)) ] || start=$((0x$from >> 12))
done </proc/$push/maps
before=$(cat $cg/memory.memsw.usage_in_bytes)
echo +8-131071 >$disk/badblocks
for i in 1 2; do
	dd if=/proc/$push/mem of=/dev/null bs=4096 skip=$start count=3000 conv=noerror
done 2>/tmp/dd.out
failed=$(grep -c "dd: .*rror" /tmp/dd.out)
change=$(($(cat $cg/memory.memsw.usage_in_bytes) - before))
ok "pages that can't be read count once, as before" \
	$((failed > 4000 && change > -(1 << 20) && change < 1 << 20)) \
	"$failed failed, $before bytes before, $change more"
echo -8-131071 >$disk/badblocks
kill -USR1 $push
wait $push
ok "and come back with the disk" $(($? == 0)) "$(tail -n 1 /tmp/push.out)"
swapoff /dev/memsw
usage_falls
ok "and are given back" $((usage <= 2 << 20)) "$usage bytes"
rmdir $cg
ok "the cgroup can be removed" $(($? == 0)) ""
exit $fail
