#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Bring the kernel tree with the series applied, $build/linux, up to date. Only
# files that differ are written, so that a build afterwards is incremental.
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=scripts/series.sh
. "$top/scripts/series.sh"

[ -z "${SRC:-}" ] || exit 0

state()
{
	readlink -f "$build/pristine"
	cat "$top"/patches/[0-9]*.patch
}

apply()
{
	local stage=$build/stage f

	if [ "$(cat "$build/linux.source" 2>/dev/null)" != "$(readlink -f "$build/pristine")" ]; then
		rm -rf "$applied" "$build/linux.files"
		cp -al "$(readlink -f "$build/pristine")" "$applied"
		readlink -f "$build/pristine" >"$build/linux.source"
	fi

	rm -rf "$stage"
	mkdir -p "$stage"
	series_repository "$stage"
	git ls-files >"$build/linux.files.new"

	# No links where somebody may come to edit in place, which would write
	# through to the pristine source
	sed 's,[^/]*$,,' "$build/linux.files.new" | sort -u | while read -r f; do
		[ ! -d "$applied/$f" ] || find "$applied/$f" -maxdepth 1 -type f -links +1
	done | while read -r f; do
		cp -p "$f" "$f.copy"
		mv "$f.copy" "$f"
	done

	# What it deletes
	git diff --no-renames --name-only --diff-filter=D base HEAD | while read -r f; do
		rm -f "$applied/$f"
	done

	# What an earlier series touched and this one does not
	touch "$build/linux.files"
	sort "$build/linux.files" "$build/linux.files.new" "$build/linux.files.new" |
		uniq -u | while read -r f; do
			rm -f "$applied/$f"
			[ ! -e "$build/pristine/$f" ] || cp "$build/pristine/$f" "$applied/$f"
		done

	while read -r f; do
		cmp -s "$f" "$applied/$f" && continue
		mkdir -p "$(dirname "$applied/$f")"
		rm -f "$applied/$f"
		cp "$f" "$applied/$f"
	done <"$build/linux.files.new"
	mv "$build/linux.files.new" "$build/linux.files"
	rm -rf "$stage"
}

lock_build
new=$(state | digest)
if [ "$(cat "$build/linux.state" 2>/dev/null)" != "$new" ]; then
	step "kernel source: apply the series" "$build/log/tree.log" apply
	echo "$new" >"$build/linux.state"
fi
edited=$(series_open_files "$applied")
[ -z "$edited" ] || die "Not as patches/ make them, which is what is built:
$edited
Edit them in a working tree, see make tree, and bring them back with make refresh."
