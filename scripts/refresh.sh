#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Bring the commits of the working kernel tree back: edits of existing files into
# patches/, new files into their place here. The tree has to be clean.
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

dir=${TREE:-$build/tree}
[ -e "$dir/.git" ] || die "no working tree in $dir, see make tree"
lock_build
cd "$dir"
[ -z "$(git status --porcelain --untracked-files=no)" ] ||
	die "$dir has changes that are not committed"

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# New files of the series, and where they first appear
new=$(git diff --name-only --diff-filter=A base HEAD)

format_patch()
{
	local commit=$1
	shift

	git format-patch -k --stdout --zero-commit --no-signature --no-stat --abbrev=12 -s \
		"$commit^..$commit" "$@"
}

{
	echo "# The steps of the series in order: the patch with its edits of existing files,"
	echo "# and the new files that come with it."
	git rev-list --reverse base..HEAD | {
		n=0
		while read -r commit; do
			exclude=()
			for f in $new; do exclude+=(":(exclude)$f"); done
			added=$(git diff-tree --no-commit-id --name-only -r --diff-filter=A "$commit")
			edited=$(git diff-tree --no-commit-id --name-only -r "$commit" -- . "${exclude[@]}")
			# A commit that only edits new files has gone into them
			[ -n "$added$edited" ] || continue
			n=$((n + 1))
			name=$(printf '%04d-%s.patch' $n "$(git log -1 --format=%f "$commit" | cut -c 1-52)")
			if [ -n "$edited" ]; then
				format_patch "$commit" -- . "${exclude[@]}" >"$tmp/$name"
			else
				format_patch "$commit" | sed '/^diff --git/,$d' >"$tmp/$name"
			fi
			printf '%s' "$name"
			for f in $added; do
				! git cat-file -e "HEAD:$f" 2>/dev/null || printf ' %s' "$f"
			done
			echo
		done
	}
} >"$tmp/series"

rm -f "$top"/patches/*.patch
mv "$tmp"/*.patch "$tmp/series" "$top/patches/"
for f in $new; do
	mkdir -p "$top/$(dirname "$f")"
	git show "HEAD:$f" >"$tmp/file"
	cmp -s "$tmp/file" "$top/$f" || cp "$tmp/file" "$top/$f"
	[ "$(git ls-tree HEAD "$f" | cut -c 1-6)" != 100755 ] || chmod +x "$top/$f"
done
echo "$(grep -c '^[0-9]' "$top/patches/series") patches, $(echo "$new" | wc -w) new files"
