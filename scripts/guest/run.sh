#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The main job: push more memory than the guest has, with no swap device at all,
# and verify every byte.
stat()
{
	awk -v k="$1" '$1 == k { print $2 }' /sys/kernel/debug/vswap/stats
}

mb()
{
	awk -v n="$1" 'BEGIN { printf "%d MB", n / 256 }'
}

total=$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)
anon=$((total * 5 / 4))
shm=$((total * 3 / 4))

echo "kernel   $(uname -r), vswap mode $(cat /sys/kernel/mm/vswap/mode)"
echo "memory   $total MB"
echo "devices  $(($(wc -l </proc/swaps) - 1)) for swap, $(awk '/^SwapTotal/ { print $2 }' /proc/meminfo) kB in total"
echo

echo 1 >/sys/module/zswap/parameters/enabled
echo 40 >/sys/module/zswap/parameters/max_pool_percent
mkdir -p /tmp/job && mount -t tmpfs -o size=${shm}M tmpfs /tmp/job

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
wait $push
status=$?

echo
echo "at the most swapped out  $(mb "$most")"
echo "  pages of zeroes        $(mb "$zero")"
echo "  compressed by zswap    $(mb "$zswap") in $((pool >> 20)) MB"
echo "  structures             $((bytes >> 10)) kB"
echo "pages lost               $(stat lost)"
echo "OOM kills                $(awk '/^oom_kill / { print $2 }' /proc/vmstat)"
[ "$(stat lost)" = 0 ] || status=1
[ "$most" -gt $((total * 256 / 2)) ] || status=1
[ "$(awk '/^oom_kill / { print $2 }' /proc/vmstat)" = 0 ] || status=1
exit $status
