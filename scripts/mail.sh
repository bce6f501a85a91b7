#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Write the series as it would be mailed, out/series/: a cover letter, and the patches
# with their numbers.
# usage: mail.sh [--verify]	--verify: apply it again with git am and compare
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=scripts/series.sh
. "$top/scripts/series.sh"

[ "${1:-}" = --verify ] || git var GIT_COMMITTER_IDENT >/dev/null 2>&1 ||
	die "who mails the series signs it off, and git does not know who that is"
out=$top/out/series
lock_build
"$top/scripts/packages.sh" build
"$top/scripts/source.sh"

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

cover()
{
	local version

	version=$(sed -n 's/^\(VERSION\|PATCHLEVEL\|SUBLEVEL\) = //p' "$build/pristine/Makefile" | paste -sd.)
	sed -e "/\*\*\* BLURB HERE \*\*\*/{r $top/patches/cover-letter
		d}" -e "s/\*\*\* SUBJECT HERE \*\*\*/mm: virtual swap space/" "$1"
	echo "Applies to Linux $version."
}

write()
{
	series_repository "$tmp/repo"
	rm -rf "$out"
	mkdir -p "$out"
	git format-patch -q -s --zero-commit --no-signature --cover-letter -o "$out" base
	cover "$out/0000-cover-letter.patch" >"$tmp/cover"
	mv "$tmp/cover" "$out/0000-cover-letter.patch"
}

# On pristine files only, and the result has to be what the series says
verify()
{
	git -C "$tmp/repo" worktree add -q "$tmp/verify" base
	series_identity
	cd "$tmp/verify"
	find "$out" -name '*.patch' ! -name '0000-*' | sort | xargs git am -q
	[ -z "$(git diff --stat HEAD "$(git -C "$tmp/repo" rev-parse HEAD)")" ]
}

step "series: write out/series" "$build/log/series.log" write
if [ "${1:-}" = --verify ]; then
	step "series: apply it with git am" "$build/log/series-verify.log" verify
fi
