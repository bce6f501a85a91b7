#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The main job, in three acts: push more memory than the guest has with no swap
# device at all; add a disk, for what can't be compressed; switch the disk off
# with everything still in use. Every byte is verified.
stat()
{
	awk -v k="$1" '$1 == k { print $2 }' /sys/kernel/debug/vswap/stats
}

mb()
{
	awk -v n="$1" 'BEGIN { printf "%d MB", n / 256 }'
}

# What zswap holds as it is
kept_mb()
{
	echo $(($(cat /sys/kernel/debug/zswap/stored_incompressible_pages) / 256))
}

disk_mb()
{
	awk '$1 == "/dev/vda" { print int($4 / 1024) }' /proc/swaps
}

fail()
{
	echo "FAILED: $*"
	status=1
}

# Files are in memory, too, and the more tests there are, the less of it is left
rm -f /tests/vswap/vswap_*

total=$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)
anon=$((total * 5 / 4))
shm=$((total * 3 / 4))
random=$((total * 5 / 8))
mixed=$((total * 3 / 4))
status=0

echo "kernel   $(uname -r), vswap mode $(cat /sys/kernel/mm/vswap/mode)"
echo "memory   $total MB"
echo "devices  $(($(wc -l </proc/swaps) - 1)) for swap, $(awk '/^SwapTotal/ { print $2 }' /proc/meminfo) kB in total"

echo 1 >/sys/module/zswap/parameters/enabled
mkdir -p /tmp/job && mount -t tmpfs -o size=${shm}M tmpfs /tmp/job

echo
echo "1. Without a swap device"
echo
/tests/vswap/push -r 2 "$anon" "$shm" /tmp/job/file &
push=$!
# Where the pages are, now and then
while kill -0 $push 2>/dev/null; do
	used=$(stat slots_used)
	if [ "${used:-0}" -gt "${most:-0}" ]; then
		most=$used
		zero=$(stat slots_zero) zswap=$(stat slots_zswap) bytes=$(stat memory_bytes)
		pool=$(cat /sys/kernel/debug/zswap/pool_total_size)
	fi
	sleep 1
done
wait $push || fail "push: $?"
rm /tmp/job/file
[ "$most" -gt $((total * 256 / 2)) ] || fail "too little was swapped out"
echo
echo "at the most swapped out  $(mb "$most")"
echo "  zero-filled pages      $(mb "$zero")"
echo "  compressed by zswap    $(mb "$zswap") in $((pool >> 20)) MB"
echo "  structures             $((bytes >> 10)) kB"

echo
echo "2. A disk is added, and data that can't be compressed"
echo
{ mkswap /dev/vda >/dev/null && swapon /dev/vda; } || fail "swapon: $?"
/tests/vswap/push -w -p random $random >/tmp/random.out &
a=$!
/tests/vswap/push -w $mixed >/tmp/mixed.out &
b=$!
while [ "$(cat /tmp/random.out /tmp/mixed.out | wc -l)" -lt 2 ] && kill -0 $a $b 2>/dev/null; do
	sleep 1
done
# zswap keeps such pages as they are until it has to make room
disk=$(disk_mb)
kept=$(kept_mb)
if [ $((disk + kept)) -le $((total / 8)) ] || [ "$disk" = 0 ]; then
	fail "too little went to the disk"
fi
echo "in use                   $random MB that can't be compressed, $mixed MB that can"
echo "swapped out              $(mb "$(stat slots_used)")"
echo "  compressed by zswap    $(($(stat slots_zswap) / 256 - kept)) MB"
echo "  as they are, in zswap  $kept MB"
echo "  on the disk            $disk MB"

echo
echo "3. The disk is switched off, everything is still in use"
echo
start=$(awk '{ print $1 }' /proc/uptime)
swapoff /dev/vda || fail "swapoff: $?"
end=$(awk '{ print $1 }' /proc/uptime)
echo "swapoff                  $(awk -v a="$start" -v b="$end" 'BEGIN { printf "%.1f s", b - a }')"
echo "swapped out              $(mb "$(stat slots_used)")"
echo "  compressed by zswap    $(($(stat slots_zswap) / 256 - $(kept_mb))) MB"
kill -USR1 $a $b
wait $a || fail "push: $?"
wait $b || fail "push: $?"
echo
tail -qn 1 /tmp/random.out /tmp/mixed.out

echo
echo "reads without data       $(stat lost)"
echo "OOM kills                $(awk '/^oom_kill / { print $2 }' /proc/vmstat)"
[ "$(stat lost)" = 0 ] || fail "slots without data were read"
[ "$(awk '/^oom_kill / { print $2 }' /proc/vmstat)" = 0 ] || fail "the OOM killer came"
exit $status
