#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Everything that can be tested, as KTAP, and one line with the sum at the end.
# TESTS picks some of: check series off builds uml run kunit zswap memsw hibernate release cram debug
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

tests=${TESTS:-check series off builds uml run kunit zswap memsw hibernate release cram debug}
results=$build/test.results
: >"$results"


# case_ TEXT COMMAND...: one test that is a command
case_()
{
	local text=$1 start=$SECONDS rc=0
	shift

	"$@" || rc=$?
	if [ $rc -eq 0 ]; then
		echo "ok $text # $((SECONDS - start)) s"
		echo pass >>"$results"
	else
		echo "not ok $text # $((SECONDS - start)) s"
		echo fail >>"$results"
	fi
}

# suite TEXT COMMAND...: a command that prints KTAP; its exit status counts too
suite()
{
	local text=$1 rc=0 out=$build/log/suite.ktap
	shift

	echo "# $text"
	: >"$out"
	"$@" >"$out" 2>&1 </dev/null &
	local pid=$!
	tail -n +1 -f --pid=$pid "$out" 2>/dev/null || :
	wait $pid || rc=$?
	tally "$out" "$text" $rc
}

# Results of a KTAP file: lines with children are left to the children
tally()
{
	awk -v rc="$3" -v text="$2" '
		{ sub(/^ +/, "") }
		/^(ok|not ok) .*# SKIP/ { skip++; next }
		/^ok / { pass++; next }
		/^not ok / { fail++; next }
		END {
			for (i = 0; i < pass; i++) print "pass"
			for (i = 0; i < skip; i++) print "skip"
			for (i = 0; i < fail; i++) print "fail"
			# No silent success: a suite has results, and exits 0 only if none failed
			if (pass + skip + fail == 0 || (rc && !fail)) {
				print "fail"
				print "not ok " text ": exit status " rc ", " pass + 0 " passed" >"/dev/stderr"
			}
		}' "$1" >>"$results"
}

want()
{
	case " $tests " in *" $1 "*) return 0 ;; esac
	return 1
}

"$top/scripts/packages.sh" build guest check
"$top/scripts/source.sh"
"$top/scripts/tree.sh"

echo "TAP version 13"
if want check; then suite "checks of the series" "$top/scripts/check.sh"; fi
if want series; then case_ "series: the mailable form applies" "$top/scripts/mail.sh" --verify; fi

"$top/scripts/prepare.sh" vswap
if want off; then case_ "build: CONFIG_VSWAP=n" "$top/scripts/kernel.sh" off mm/; fi
if want builds; then suite "builds of other configurations" "$top/scripts/builds.sh"; fi
if want run; then case_ "main job, release kernel" "$top/scripts/run.sh"; fi
if want uml; then
	suite "KUnit, User Mode Linux" "$top/scripts/kunit-uml.sh"
	suite "kselftests, User Mode Linux" "$top/scripts/uml.sh" -t 900 kselftest
fi
if want zswap; then suite "cgroup/test_zswap" "$top/scripts/test-zswap.sh"; fi
if want memsw; then suite "cgroup v1, release kernel" \
	"$top/scripts/guest.sh" -m 512M -t 600 -a "swapaccount=1" vswap memsw; fi
if want hibernate; then suite "hibernation, release kernel" "$top/scripts/hibernate.sh"; fi
if want release; then
	suite "kselftests, release kernel" \
		"$top/scripts/guest.sh" -m 512M -t 900 vswap kselftest
	suite "OOM, release kernel" \
		"$top/scripts/guest.sh" -m 256M -t 900 -a only=vswap_oom vswap kselftest
fi
if want cram; then suite "compressed RAM, release kernel" "$top/scripts/cram.sh" vswap; fi
if want debug || want kunit; then "$top/scripts/kernel.sh" debug; fi
if want kunit; then suite "KUnit, debug kernel" "$top/scripts/guest.sh" -m 1G -t 600 debug kunit; fi
if want debug && want cram; then
	suite "compressed RAM, debug kernel" "$top/scripts/cram.sh" -t 1800 debug
fi
if want debug; then
	suite "kselftests, debug kernel" \
		"$top/scripts/guest.sh" -m 1G -t 2700 debug kselftest
	suite "OOM, debug kernel" \
		"$top/scripts/guest.sh" -m 512M -t 900 -a only=vswap_oom debug kselftest
fi

pass=$(grep -c pass "$results" || :)
fail=$(grep -c fail "$results" || :)
skip=$(grep -c skip "$results" || :)
echo "$pass passed, $fail failed, $skip skipped"
[ "$fail" -eq 0 ]
