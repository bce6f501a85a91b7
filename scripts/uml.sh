#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Run one job on the User Mode Linux kernel that kunit-uml.sh has built.
# usage: uml.sh [-t SECONDS] [-a APPEND] JOB
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=scripts/job.sh
. "$top/scripts/job.sh"

limit=600 append=''
while getopts t:a: opt; do
	case $opt in
	t) limit=$OPTARG ;;
	a) append=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
job=$1

dir=$(mktemp -d "$build/guest.XXXXXX")
trap 'end_machine; rm -rf "$dir"' EXIT
log=$build/log/uml-$job$(log_suffix "$append").log
append="$(job_environment) $append"
mkdir -p "$build/log"

# The job's line is a file descriptor, as the kernel's console is.
machine()
{
	exec "$build/uml/linux" mem=512M ncpus=2 seccomp=on panic=-1 kunit.enable=0 \
		initrd="$build/initramfs.cpio" con=null con0=null,fd:1 ssl=null ssl1=null,fd:3 \
		console=tty0 loglevel=7 "job=$job" "$append" >"$log" 2>&1 3>"$dir/job"
}
export -f machine
export build log dir job append

run_job "$limit" "$log" "" bash -c machine
