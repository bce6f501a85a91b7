#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# With zswap full and no device, memory runs out: the OOM killer has to come, in
# time, and the machine has to go on.
ksft_skip=4

[ -w /sys/kernel/mm/vswap/mode ] || { echo "1..0 # SKIP no CONFIG_VSWAP"; exit $ksft_skip; }
[ "$(wc -l </proc/swaps)" -eq 1 ] || { echo "1..0 # SKIP there are swap devices"; exit $ksft_skip; }

param=/sys/module/zswap/parameters
percent=$(cat $param/max_pool_percent)
overcommit=$(cat /proc/sys/vm/overcommit_memory)
total=$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)
fail=0 n=0

# Take some MB of memory away. What is in a ramfs stays there.
reserve=/tmp/vswap_oom
take()
{
	if [ ! -d "$reserve" ] && { ! mkdir "$reserve" || ! mount -t ramfs none "$reserve"; }; then
		echo "# no ramfs"
		return 0
	fi
	dd if=/dev/zero bs=1M count="$1" 2>/dev/null >>"$reserve/file" ||
		echo "# not all is taken"
}

available()
{
	awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo
}

put_back_settings()
{
	echo "$percent" >"$param/max_pool_percent"
	echo "$overcommit" >/proc/sys/vm/overcommit_memory
}

# All that is changed here
put_back()
{
	[ ! -d "$reserve" ] || { umount "$reserve"; rmdir "$reserve"; }
	put_back_settings
}
trap put_back EXIT
trap 'exit 1' HUP INT TERM

# Run push in a shell that is killed first, so that nobody else is.
hog()
{
	sh -c "echo 1000 >/proc/self/oom_score_adj; exec timeout -s TERM 600 ./push $*" \
		>/dev/null 2>&1
	echo $?
}

# Events since boot
events()
{
	awk -v name="$1" '$1 == name { print $2 }' /proc/vmstat
}

# Statistics of virtual swap space
stat()
{
	awk -v name="$1" '$1 == name { print $2 }' /sys/kernel/debug/vswap/stats
}

# expect TEXT WANT GOT
expect()
{
	n=$((n + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $n $1"
	else
		echo "not ok $n $1: $3 instead of $2"
		fail=1
	fi
}

# How much of what the kernel has recorded does not agree; only debug kernels tell
inconsistent()
{
	validate=/sys/kernel/debug/vswap/validate
	[ -r $validate ] || { echo 0; return; }
	# Nobody swaps, so totals have to be checked; the kernel may for a while
	for i in 1 2 3 4 5 6 7 8 9 10; do
		cat $validate >/tmp/validate
		! grep -q ' quiet 1 errors 0$' /tmp/validate || { echo 0; return; }
	done
	sed -n 's/.* quiet \(.*\)$/quiet \1/p' /tmp/validate
	sed 's/^/# validate: /' /tmp/validate >&2
}

echo "TAP version 13"
echo "1..8"
echo 1 >$param/enabled
echo 10 >$param/max_pool_percent
# Otherwise mmap() refuses what can never fit
echo 1 >/proc/sys/vm/overcommit_memory
# Debug kernels in an emulator take minutes to fill memory: leave less of it
little=64
if [ -w /sys/kernel/debug/kmemleak ] && [ "${VSWAP_ALL:-0}" != 1 ]; then
	take $((total * 2 / 5))
	little=32
fi
counts=$([ -n "$(stat rejected)" ] && [ -n "$(events zswpout)" ] && echo yes)
pages=$((total * 1024 / $(awk '/^KernelPageSize/ { print $2; exit }' /proc/self/smaps)))
kills=$(events oom_kill)
out=$(events zswpout)
rejected=$(stat rejected)
expect "what can't be compressed is killed" 137 "$(hog -p random $((total * 2)))"
# Each page is tried once until zswap is given up, and up to twice before the OOM killer
# comes; one that zswap takes makes up for sixteen that it rejects.
rejected=$(($(stat rejected) - rejected))
most=$((3 * pages + 16 * ($(events zswpout) - out)))
echo "# rejected $rejected of $most pages"
expect "nor tried over and over before" yes \
	"$(if [ "$rejected" -le "$most" ]; then echo "$counts"; else echo "more"; fi)"
expect "what overflows the pool is killed" 137 "$(hog -p quarter $((total * 4)))"
now=$(events oom_kill)
killed=yes
[ "$now" -ge $((kills + 2)) ] || killed="$kills then $now"
expect "by the OOM killer" yes "$killed"

# Everything is given back but what init has there; files of a root in tmpfs come back
# when they are read.
find / -xdev -type f -exec cat {} + >/dev/null 2>&1
i=0
while [ "$(stat slots_used)" -gt 1000 ] && [ $i -lt 50 ]; do
	sleep 0.2
	i=$((i + 1))
done
given_back=yes
[ $i -lt 50 ] || given_back=$(cat /sys/kernel/debug/vswap/stats)
expect "slots are given back" yes "$given_back"
put_back_settings
# Half as much again as there is room for
[ "$(available)" -le $little ] || take $(($(available) - little))
room=$(available)
out=$(events zswpout)
expect "swapping goes on" 0 "$(hog -p word $((room * 3 / 2)))"
out=$(($(events zswpout) - out))
least=$((room * pages / total / 4))
enough=yes
[ "$out" -ge "$least" ] || enough="$out of $least pages"
expect "by the size of what does not fit" yes "$enough"
expect "all that is recorded of slots agrees" 0 "$(inconsistent)"
exit $fail
