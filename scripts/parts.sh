# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
# Run the parts of a whole side by side; to be sourced. Each has a name, parts that
# have to be done before it, and a command that runs in a shell of its own. What it
# prints is kept until it ends and then printed whole, so that nothing mixes. $part is
# the name, for the command; results, "pass", "fail" or "skip" a line, it may leave in
# $build/parts/$part.results.

parts=()		# names, what should start first in front
declare -A part_after=() part_command=() part_state=() part_note=() part_start=() part_pid=()

# add_part NAME "PART..." COMMAND...: add one, to be run after these, which are known
add_part()
{
	parts+=("$1")
	part_after[$1]=$2
	part_command[$1]=$(printf '%q ' "${@:3}")
}

# need_parts NAME...: have these run, and what has to be done before them
need_parts()
{
	local name

	for name in "$@"; do
		[ -n "${part_command[$name]:-}" ] || die "there is no part $name"
		[ -z "${part_state[$name]:-}" ] || continue
		part_state[$name]=waits
		# shellcheck disable=SC2086
		need_parts ${part_after[$name]}
	done
}

# May a part start? Fails too if it never will, which its state says then.
part_ready()
{
	local before

	[ "${part_state[$1]:-}" = waits ] || return 1
	for before in ${part_after[$1]}; do
		case ${part_state[$before]} in
		finished) ;;
		failed) part_state[$1]=failed part_note[$1]="no $before"; return 1 ;;
		*) return 1 ;;
		esac
	done
}

# Its output and the processor time of all that it ran are left in $build/parts.
# A process group of its own, to end all of it at once.
part_run()
{
	part=$1
	part_state[$part]=runs
	part_start[$part]=$SECONDS
	echo "# $part starts, $SECONDS s"
	set -m
	(
		set +m
		trap 'times >"$build/parts/$part.times"' EXIT
		eval "${part_command[$part]}"
	) >"$build/parts/$part.out" 2>&1 </dev/null &
	set +m
	part_pid[$part]=$!
}

# seconds_used FILE: of the children, from what "times" has printed
seconds_used()
{
	awk -F '[ms ]+' 'NR == 2 { printf "%d", $1 * 60 + $2 + $3 * 60 + $4 }' "$1"
}

# part_ended NAME STATUS
part_ended()
{
	local name=$1 start=${part_start[$1]} used

	unset "part_pid[$name]"
	part_state[$name]=finished
	[ "$2" -eq 0 ] || part_state[$name]=failed
	used=$(seconds_used "$build/parts/$name.times" 2>/dev/null) || used=0
	part_note[$name]=$(printf '%5d s  %5d s  %5d s' "$start" $((SECONDS - start)) "$used")
	cat "$build/parts/$name.out"
}

end_parts()
{
	local pid

	for pid in "${part_pid[@]}"; do
		kill -TERM -- "-$pid" 2>/dev/null || :
	done
	wait
}

# run_parts SLOTS: run what is needed, so many at a time. A command that fails has
# "fail" among its results, and so have those that need it.
run_parts()
{
	local slots=$1 name pid rc

	rm -rf "$build/parts"
	mkdir -p "$build/parts"
	trap 'end_parts; exit 130' INT
	trap 'end_parts; exit 143' TERM HUP
	# Nobody reads any more
	trap 'end_parts; exit 141' PIPE
	while :; do
		for name in "${parts[@]}"; do
			[ "${#part_pid[@]}" -lt "$slots" ] || break
			if part_ready "$name"; then part_run "$name"; fi
		done
		[ "${#part_pid[@]}" -gt 0 ] || break
		rc=0
		wait -n -p pid "${part_pid[@]}" || rc=$?
		for name in "${!part_pid[@]}"; do
			[ "${part_pid[$name]}" != "$pid" ] || { part_ended "$name" $rc; break; }
		done
	done
	trap - INT TERM HUP PIPE

	for name in "${parts[@]}"; do
		[ "${part_state[$name]:-}" = failed ] || continue
		echo "not ok part $name"
		echo fail >>"$build/parts/$name.results"
	done
}

# results WORD FILE...: how many of the results in these files are "pass", "fail", "skip"
results()
{
	local word=$1
	shift

	cat "$@" 2>/dev/null | grep -cx "$word" || :
}

# One line a part: when it began, how long it took, processor time, results
show_parts()
{
	local name file

	printf '# %-16s %7s  %7s  %7s  %6s %6s %6s\n' part from took CPU passed failed skipped
	for name in "${parts[@]}"; do
		[ -n "${part_state[$name]:-}" ] || continue
		file=$build/parts/$name.results
		printf '# %-16s %27s' "$name" "${part_note[$name]:-}"
		[ ! -f "$file" ] || printf '  %6d %6d %6d' "$(results pass "$file")" \
			"$(results fail "$file")" "$(results skip "$file")"
		echo
	done
}

# The results that failed once more, where they are found: in the end; and the last of
# what was said before each of them
show_failed()
{
	local name

	for name in "${parts[@]}"; do
		[ -f "$build/parts/$name.out" ] || continue
		awk -v name="$name" -v most=12 '
			/^[# ]*not ok/ && !/# SKIP/ {
				for (i = n > most ? n - most : 0; i < n; i++)
					print "#   " said[i]
				sub(/^[# ]*/, "")
				print "# " name ": " $0
			}
			/^[# ]*(not )?ok / || /# +RUN / { n = 0; next }
			NF { said[n++] = $0 }' "$build/parts/$name.out"
	done
}
