#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Run the kselftests in the guest, one after the other, as KTAP. On the command
# line, only=PATTERN picks some, shard=I/N the I-th of N shares of the files, and
# skip=NAME,... leaves some out; of a file, test=NAME picks those of that name,
# variant=NAME all of these, and both what either picks; test=FIXTURE.VARIANT.NAME, as
# results have it, is a single one. With lru=mglru that kind of LRU is on. With zswap=off
# the first one that needs zswap has to switch it on.
only=$(sed -n 's/.*\bonly=\([^ ]*\).*/\1/p' /proc/cmdline)
shard=$(sed -n 's/.*\bshard=\([0-9]*\/[0-9]*\).*/\1/p' /proc/cmdline)
skip=$(sed -n 's/.*\bskip=\([^ ]*\).*/\1/p' /proc/cmdline)
one=$(sed -n 's/.*\btest=\([^ ]*\).*/\1/p' /proc/cmdline)
variant=$(sed -n 's/.*\bvariant=\([^ ]*\).*/\1/p' /proc/cmdline)
lru=$(sed -n 's/.*\blru=\([^ ]*\).*/\1/p' /proc/cmdline)
nr=0 rc=0

# What is to be after a program as it was before. The kernel itself sets what it reserves,
# when khugepaged is started or memory comes and goes.
surroundings()
{
	find /sys/fs/cgroup -mindepth 1 -type d
	awk 'NR > 1 { print $1, $2, $3 }' /proc/swaps
	grep -H . /sys/kernel/mm/vswap/* /sys/module/zswap/parameters/* \
		/sys/kernel/mm/ksm/run /sys/kernel/mm/ksm/pages_to_scan \
		/sys/kernel/mm/ksm/sleep_millisecs \
		/sys/kernel/mm/transparent_hugepage/*enabled \
		/sys/kernel/mm/transparent_hugepage/hugepages-*/*enabled \
		/sys/kernel/mm/lru_gen/enabled /proc/sys/vm/* \
		/sys/devices/system/cpu/online 2>/dev/null | grep -v _kbytes:
}

run()
{
	# shellcheck disable=SC2254
	case ${1%.sh} in ${only:-*}) ;; *) return 0 ;; esac
	case ",$skip," in *",${1%.sh},"*) return 0 ;; esac
	case $one in
	*.*) case $one in "${1%.sh}"[._]*) ;; *) return 0 ;; esac ;;
	esac
	if [ -n "$one$variant" ] && [ "$one" = "${one%.*}" ]; then
		"./$1" -l >/tmp/list 2>&1
		grep -q "\b$one\b" /tmp/list && grep -q "\b$variant\b" /tmp/list || return 0
	fi
	nr=$((nr + 1))
	[ -z "$shard" ] || [ $((nr % ${shard#*/})) -eq $((${shard%/*} % ${shard#*/})) ] || return 0
	echo "# vswap: $1"
	start=$(date +%s)
	surroundings >/tmp/before
	case $one in
	*.*)
		{ "./$1" -r "$one"; echo $? >/tmp/status; } | tee /tmp/one
		status=$(cat /tmp/status)
		# Of a name that it does not know, it makes no failure
		! grep -q '^1\.\.0$' /tmp/one || { echo "not ok there is no test $one"; rc=1; }
		;;
	*)
		"./$1" ${one:+-t "$one"} ${variant:+-v "$variant"}
		status=$?
		;;
	esac
	echo "# ${1%.sh}: $(($(date +%s) - start)) s"
	left=$(nr_dying)
	[ "$left" -le "$dying" ] || echo "# $((left - dying)) cgroups have not gone yet"
	surroundings >/tmp/after
	if ! diff /tmp/before /tmp/after >/tmp/left; then
		sed 's/^/# /' /tmp/left
		echo "not ok $1 leaves everything as it was"
		rc=1
	fi
	case $status in
	0 | 4) ;;
	*) echo "# vswap: $1: exit status $status"; rc=1 ;;
	esac
}

# What lies around must not be a leak; only the debug kernel can tell.
scan_for_leaks()
{
	[ -w /sys/kernel/debug/kmemleak ] || return 0
	for age in 0 6; do
		# What is younger than five seconds is not told
		sleep $age
		# It switches itself off when it has no memory
		echo scan >/sys/kernel/debug/kmemleak || { echo "not ok no leaks"; rc=1; return 0; }
	done
	cat /sys/kernel/debug/kmemleak >/tmp/leaks
	if [ -s /tmp/leaks ]; then
		sed 's/^/# /' /tmp/leaks
		echo "not ok no leaks"
		rc=1
	else
		echo "ok no leaks"
	fi
}

# All that is recorded of slots has to agree; only the debug kernel can tell. Totals
# can be checked once nobody is about.
validate()
{
	[ -r /sys/kernel/debug/kmemleak ] || return 0
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		cat /sys/kernel/debug/vswap/validate >/tmp/validate
		grep -q ' quiet 0 errors 0$' /tmp/validate || break
	done
	if grep -q ' quiet 1 errors 0$' /tmp/validate; then
		echo "ok slots are consistent # $(cat /tmp/validate)"
	else
		sed 's/^/# /' /tmp/validate
		echo "not ok slots are consistent"
		rc=1
	fi
}

# Anything but a known word is reported and ignored.
mode_of_command_line()
{
	case " $(cat /proc/cmdline) " in
	*" vswap=always "*) mode=always ;;
	*) mode=auto ;;
	esac
	if grep -qF "[$mode]" /sys/kernel/mm/vswap/mode; then
		echo "ok mode $mode by the command line"
	else
		echo "not ok mode $mode by the command line # $(cat /sys/kernel/mm/vswap/mode)"
		rc=1
	fi
}

# Cgroups that have been removed go when nothing of theirs is left. A page that reclaim had
# locked when its process exited stays in the swap cache until reclaim comes by again, and
# its cgroup with it; that is so without virtual slots, too.
nr_dying()
{
	sed -n 's/^nr_dying_subsys_memory //p' /sys/fs/cgroup/cgroup.stat
}

cgroups_go()
{
	for i in 1 2 3 4 5 6 7 8 9 10; do
		echo 3 >/proc/sys/vm/drop_caches
		[ "$(nr_dying)" -gt "$dying" ] || { echo "ok no cgroup is left"; return 0; }
		if [ "$i" -ge 5 ]; then
			echo "# $(nr_dying) cgroups are left, $dying before:" \
				"$(grep -E '^slots_(used|cached) ' /sys/kernel/debug/vswap/stats | tr '\n' ' ')"
			echo "1G swappiness=max" 2>/dev/null >/sys/fs/cgroup/memory.reclaim
		fi
		sleep 1
	done
	echo "not ok no cgroup is left # $(nr_dying), $dying before"
	rc=1
}

grep -q "zswap=off" /proc/cmdline || echo 1 >/sys/module/zswap/parameters/enabled
dying=$(nr_dying)
mode_of_command_line
if [ "$lru" = mglru ]; then
	echo y >/sys/kernel/mm/lru_gen/enabled || { echo "not ok MGLRU is on"; rc=1; }
fi
cd /tests/vswap || exit 1
for t in vswap_*; do
	# It takes all of the memory: a guest of its own, with little of it
	if [ "$t" != vswap_oom.sh ] || [ "$only" = vswap_oom ]; then
		run "$t"
	fi
done
[ $nr -gt 0 ] || { echo "not ok there is no test ${only:-*} $one $variant"; rc=1; }
validate
cgroups_go
[ "$only" = vswap_oom ] || scan_for_leaks
exit $rc
