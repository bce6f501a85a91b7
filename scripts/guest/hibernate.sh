#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Hibernate with pages in plain and in virtual slots, in zswap and on the disk that
# the image goes to; all have to be there after resuming. The second boot is told
# so on its command line: who sees that here has not been resumed.
# shellcheck source=scripts/guest/ktap.sh
. "$(dirname "$0")/ktap.sh"

stat()
{
	awk -v k="$1" '$1 == k { print $2 }' /sys/kernel/debug/vswap/stats
}

if grep -q stage=2 /proc/cmdline; then
	ok "resume" 0 "the image was not found"
	exit 1
fi

echo 1 >/sys/module/zswap/parameters/enabled
{ mkswap /dev/vda && swapon /dev/vda; } >/dev/null || exit 1
echo never >/sys/kernel/mm/vswap/mode
/tests/vswap/push -w -p random 40 >/tmp/plain.out 2>&1 &
a=$!
while [ ! -s /tmp/plain.out ] && kill -0 $a; do sleep 1; done
echo 60M 2>/dev/null >/sys/fs/cgroup/memory.reclaim
plain=$(awk '$1 == "/dev/vda" { print int($4 / 4) }' /proc/swaps)
# Past zswap, which would keep them for a time
echo always >/sys/kernel/mm/vswap/mode
echo 0 >/sys/module/zswap/parameters/enabled
/tests/vswap/push -w -p random 60 >/tmp/random.out 2>&1 &
b=$!
while [ ! -s /tmp/random.out ] && kill -0 $b; do sleep 1; done
echo 60M 2>/dev/null >/sys/fs/cgroup/memory.reclaim
echo auto >/sys/kernel/mm/vswap/mode
echo 1 >/sys/module/zswap/parameters/enabled
/tests/vswap/push -w 150 >/tmp/mixed.out 2>&1 &
c=$!
while [ ! -s /tmp/mixed.out ] && kill -0 $c; do sleep 1; done
echo 150M 2>/dev/null >/sys/fs/cgroup/memory.reclaim

# What is in compressed RAM would not be there again
sim="start=0x18000000 size=0x1000000 nid=0"
# shellcheck disable=SC2086
insmod /tests/cram_sim.ko $sim || exit 1
echo disk 2>/tmp/refused >/sys/power/state && exit 1
grep -q busy /tmp/refused && echo 0 >/sys/kernel/debug/cram_sim/1/registered && rmmod cram_sim
refused=$?

echo "TAP version 13"
echo "1..8"
ok "compressed RAM forbids to hibernate" $((refused == 0)) "$(cat /tmp/refused)"
ok "pages are in plain slots" $((plain > 2000)) "$plain"
ok "pages are in virtual slots on the disk" $(($(stat slots_phys) > 2000)) "$(stat slots_phys)"
ok "pages are in zswap" $(($(stat slots_zswap) > 2000)) "$(stat slots_zswap)"
echo shutdown >/sys/power/disk
sync
sleep 1

# The machine is off and on again in here
if echo disk >/sys/power/state; then status=1; else status=0; fi

ok "resume" $status "it did not hibernate"
kill -USR1 $a $b $c
wait $a && wait $b && wait $c
status=$?
ok "data is right" $((status == 0)) "exit status $status"
ok "no slot without data was read" $(($(stat lost) == 0)) "$(stat lost)"
swapoff /dev/vda
status=$?
ok "the disk can be switched off" $((status == 0)) "exit status $status"
exit $fail
