#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Tests of all kinds, as KTAP, a table of the parts, what has failed, and one line with
# the sum at the end. TESTS picks some of what is in $usual and $long below; --all is
# the first two, and has the guests run what their tests leave out as too long otherwise,
# and the debug kernel and MGLRU all of the tests.
# usage: test.sh [--all]
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=scripts/parts.sh
. "$top/scripts/parts.sh"

usual="check series off builds uml run kunit zswap memsw hibernate release cram torture debug"
long="bisect mte"

# What takes ten minutes and more on the debug kernel, and what goes the same ways with
# either kind of LRU, or takes both
long_debug="skip=vswap_headroom"
lru_alike="skip=vswap_backends,vswap_error,vswap_headroom,vswap_io_matrix,vswap_knobs,vswap_overcommit,vswap_swapon"

tests=${TESTS:-$usual}
scale=1
if [ "${1:-}" = --all ]; then
	tests=${TESTS:-$usual $long}
	export VSWAP_ALL=1
	scale=4 long_debug='' lru_alike=''
fi

# Why a test may be skipped in this part; any other reason is a failure, as what the
# guests have and lack is known.
may_be_skipped()
{
	local with='no CXL device with volatile memory; QEMU has them since 8.1'

	[ -n "${VSWAP_ALL:-}" ] || with+='|only with VSWAP_ALL=1'
	case $part in
	debug-cram | torture* | mte) ;;
	cram) with+='|no fault injection' ;;
	debug*) with+='|no memory is left for it, see cram(_big)?=|no memory tags' ;;
	uml) with+='|no memory is left for it, see cram(_big)?=|no memory tags'
		with+='|no [^,]*, (see|the kernel has no) CONFIG_|no fault injection|no memory errors'
		with+='|no (ext4|KSM|userfaultfd( that moves)?|(transparent )?huge pages|large folios)'
		with+='|no (tmpfs with huge pages|CPU that can be switched off)' ;;
	uml-kunit) with='large folios are split before swapping' ;;
	*) with+='|no memory is left for it, see cram(_big)?=|no memory tags|no fault injection' ;;
	esac
	echo "$with"
}

# case_ TEXT COMMAND...: one test that is a command
case_()
{
	local text=$1 start=$SECONDS rc=0
	shift

	"$@" || rc=$?
	if [ $rc -eq 0 ]; then
		echo "ok $text # $((SECONDS - start)) s"
		echo pass >>"$build/parts/$part.results"
	else
		echo "not ok $text # $((SECONDS - start)) s"
		echo fail >>"$build/parts/$part.results"
	fi
}

# suite TEXT COMMAND...: a command that prints KTAP; its exit status counts too
suite()
{
	local text=$1 rc=0 out=$build/parts/$part.ktap
	shift

	echo "# $text"
	"$@" >"$out" 2>&1 </dev/null || rc=$?
	cat "$out"
	tally "$out" "$text" $rc >>"$build/parts/$part.results"
}

# Results of a KTAP file: lines with children are left to the children. A plan is in
# front of its results or behind them; it has to be fulfilled before the next one of
# the same depth comes.
tally()
{
	awk -v rc="$3" -v text="$2" -v reasons="$(may_be_skipped)" '
		function bad(what)
		{
			missed++
			print "not ok " text ": " what >"/dev/stderr"
		}
		function end_plan(depth)
		{
			if (plan[depth] > got[depth])
				bad(got[depth] + 0 " results of " plan[depth])
			plan[depth] = got[depth] = 0
		}
		function skipped(line)
		{
			skip++
			if (line !~ "# SKIP +(" reasons ")")
				bad("skipped: " line)
		}
		{ match($0, /^ */); depth = RLENGTH; sub(/^ +/, "") }
		/^K?TAP version/ { end_plan(depth); next }
		/^1\.\.0 +# SKIP/ { skipped($0); next }
		/^1\.\.[0-9]+/ {
			nr = substr($1, 4) + 0
			if (!nr)
				bad("a plan of no tests")
			if (got[depth] < nr) {
				end_plan(depth)
				plan[depth] = nr
			} else {
				got[depth] = 0
			}
			next
		}
		/^(ok|not ok) / { got[depth]++ }
		/^(ok|not ok) .*# SKIP/ { skipped($0); next }
		/^ok / { pass++; next }
		/^not ok / { fail++; next }
		END {
			for (depth in plan) end_plan(depth)
			for (i = 0; i < pass; i++) print "pass"
			for (i = 0; i < skip; i++) print "skip"
			for (i = 0; i < fail + missed; i++) print "fail"
			# No silent success: a suite has results, and exits 0 only if none failed
			if (pass + skip + fail == 0 || (rc && !fail)) {
				print "fail"
				print "not ok " text ": exit status " rc ", " pass + 0 " passed" >"/dev/stderr"
			}
		}' "$1"
}

# want TEST...: are all of these asked for?
want()
{
	local t

	for t in "$@"; do
		case " $tests " in *" $t "*) ;; *) return 1 ;; esac
	done
}

# t "TEST..." PART "PART..." COMMAND...: a part that belongs to these tests
t()
{
	add_part "$2" "$3" "${@:4}"
	# shellcheck disable=SC2086
	if want $1; then picked+=("$2"); fi
}

# guest TEXT SECONDS OPTION...: a suite that is a guest, which may be given some time
guest()
{
	suite "$1" "$top/scripts/guest.sh" -t $((scale * $2)) "${@:3}"
}

for name in $tests; do
	case " $usual $long " in *" $name "*) ;; *) wrong "TESTS=$name is none of: $usual $long" ;; esac
done
check_number PARALLEL 1
! want torture || check_torture
# To the end: what is tested must not change meanwhile
lock_build
sets=(build guest check)
! want builds || sets+=(cross)
! want mte || sets+=(arm64)
"$top/scripts/packages.sh" "${sets[@]}"
"$top/scripts/source.sh"
"$top/scripts/tree.sh"

# The parts, and behind each name what has to be done before. What takes long is in
# front. Guests have time limits, for two of them on two processors, and others give way.
s=$top/scripts
picked=()
debug="kernel-debug initramfs"
release="kernel initramfs"

add_part kernel-debug "" "$s/cram-sim.sh" debug
add_part initramfs "" "$s/initramfs.sh"
add_part kernel "" "$s/cram-sim.sh" vswap
add_part kernel-arm64 "" "$s/cram-sim.sh" arm64
add_part initramfs-arm64 "" "$s/initramfs.sh" arm64
add_part kernel-uml "" nice -n 5 "$s/kunit-uml.sh" build

t debug debug-1 "$debug" guest "kselftests, debug kernel, 1 of 2" 3600 \
	-m 640M -a "shard=1/2 $long_debug" debug kselftest
t debug debug-2 "$debug" guest "kselftests, debug kernel, 2 of 2" 3600 \
	-m 640M -a "shard=2/2 $long_debug" debug kselftest
t "debug cram" debug-cram "$debug" suite "compressed RAM, debug kernel" \
	env PREPARED=1 "$s/cram.sh" -t $((scale * 1800)) debug
t debug debug-oom "$debug" guest "OOM, debug kernel" 1800 \
	-m 384M -a only=vswap_oom debug kselftest
t torture torture "$debug" suite "torture, debug kernel" \
	env PREPARED=1 FLAVOR=debug TIME="${TIME:-120}" CPUS="${CPUS:-2}" "$s/torture.sh"
t torture torture-sound "$debug" suite "torture without errors, debug kernel" \
	env PREPARED=1 FLAVOR=debug TIME="${TIME:-60}" CPUS=4 WITHOUT=errors "$s/torture.sh"
t kunit kunit "$debug" guest "KUnit, debug kernel" 1200 \
	-m 1G -a zswap.enabled=1 debug kunit
t release release "$release" guest "kselftests, release kernel" 1800 \
	-m 512M -a "vswap vswap=nonsense" vswap kselftest
t release mglru "$release" guest "kselftests, release kernel, MGLRU" 1800 \
	-m 512M -a "lru=mglru vswap=always $lru_alike" vswap kselftest
t uml uml "kernel-uml initramfs" suite "kselftests, User Mode Linux" \
	"$s/uml.sh" -t $((scale * 1800)) kselftest
t uml uml-kunit kernel-uml suite "KUnit, User Mode Linux" "$s/kunit-uml.sh" exec
t run run "$release" case_ "main job, release kernel" env PREPARED=1 "$s/run.sh" 256
t cram cram "$release" suite "compressed RAM, release kernel" \
	env PREPARED=1 "$s/cram.sh" -t $((scale * 1200)) vswap
t zswap zswap "$release" suite "cgroup/test_zswap" "$s/test-zswap.sh"
t hibernate hibernate "$release" suite "hibernation, release kernel" \
	env PREPARED=1 "$s/hibernate.sh"
t memsw memsw "$release" guest "cgroup v1, release kernel" 1200 \
	-m 512M -a swapaccount=1 vswap memsw
t release oom "$release" guest "OOM, release kernel" 1800 \
	-m 256M -a only=vswap_oom vswap kselftest
t builds builds "" suite "builds of other configurations" nice -n 5 "$s/builds.sh"
t check check "" suite "checks of the series" nice -n 5 "$s/check.sh"
t off off kernel case_ "build: CONFIG_VSWAP=n" nice -n 5 "$s/off.sh"
t series series "" case_ "series: the mailable form applies" nice -n 5 "$s/mail.sh" --verify
t mte mte "kernel-arm64 initramfs-arm64" suite "compressed RAM and memory tags, arm64" \
	env PREPARED=1 "$s/mte.sh" -t $((scale * 1200))
t bisect bisect "" suite "each step of the series builds" nice -n 5 "$s/bisect.sh"

echo "TAP version 13"
need_parts "${picked[@]}"
run_parts "${PARALLEL:-$jobs}"

echo
show_parts
echo "# all              $SECONDS s"
show_failed
sum()
{
	results "$1" "$build"/parts/*.results
}
echo "$(sum pass) passed, $(sum fail) failed, $(sum skip) skipped"
[ "$(sum fail)" -eq 0 ]
