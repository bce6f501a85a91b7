# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
# Run a machine that runs one job; to be sourced. The job talks on the second
# serial line of the machine, the kernel on the first.

# The kernel puts into init's environment what it does not know itself: VSWAP_ALL
# has tests run what they leave out as too long otherwise.
job_environment()
{
	[ -z "${VSWAP_ALL:-}" ] || echo "VSWAP_ALL=$VSWAP_ALL"
}

# log_suffix APPEND: of the log's name, as guests run side by side
log_suffix()
{
	sed -nE 's/.*\b(only|shard|stage|lru|torture_without)=([a-z0-9_]+).*/-\2/p' <<<"$1"
}

# For who is interrupted: the machine is in a process group of its own
end_machine()
{
	[ -z "${machine_pid:-}" ] || kill "$machine_pid" 2>/dev/null || :
}

# run_job LIMIT LOG OFF COMMAND...: COMMAND is the machine; it writes the kernel
# log to LOG and what the job says to $dir/job, a pipe. What the job prints goes
# to standard output. Returns the job's exit status, or 1 if the machine did not
# come to an end in LIMIT seconds, or the kernel log has a warning in it. OFF is
# not empty if the machine may go off in the middle of the job.
run_job()
{
	local limit=$1 log=$2 off=$3 rc=0 status
	shift 3

	mkfifo "$dir/job"
	# The machine holds the pipe open: it ends with it, even if it can't be started
	exec 8<>"$dir/job"
	exec 7<"$dir/job"
	timeout --kill-after=10 "$limit" "$@" </dev/null >"$dir/machine.log" 2>&1 7<&- 9>&- &
	machine_pid=$!
	exec 8>&-
	sed -u 's,\r,,' <&7 | tee "$dir/out" | grep --line-buffered -v '^EXIT ' || :
	exec 7<&-
	wait "$machine_pid" || rc=$?
	machine_pid=''
	if [ $rc -ne 0 ]; then
		cat "$dir/machine.log" >&2
		[ $rc -ne 124 ] || echo "no end within $limit s" >&2
		# The kernel may have said why
		"$top/scripts/check-log.sh" "$log" || :
		return 1
	fi

	status=$(sed -n 's/^EXIT //p' "$dir/out")
	if [ -z "$status" ] && [ -n "$off" ]; then
		status=0
	elif [ -z "$status" ]; then
		tail -n 40 "$log" >&2
		die "the job died, console log: $log"
	fi

	"$top/scripts/check-log.sh" "$log" || status=1
	return "$status"
}
