#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Bring the commits of the working kernel tree back: edits of existing files into
# patches/, new files into their place here. The tree has to be clean.
. "$(dirname "$0")/common.sh"

dir=${TREE:-$build/tree}
[ -d "$dir/.git" ] || die "no working tree in $dir, see make tree"
cd "$dir"
[ -z "$(git status --porcelain --untracked-files=no)" ] ||
	die "$dir has changes that are not committed"

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# New files of the series, and where they first appear
new=$(git diff --name-only --diff-filter=A base HEAD)

{
	echo "# The steps of the series in order: the patch with its edits of existing files,"
	echo "# and the new files that come with it."
	git rev-list --reverse base..HEAD | {
		n=0
		while read -r commit; do
			n=$((n + 1))
			name=$(printf '%04d-%s.patch' $n "$(git log -1 --format=%f "$commit" | cut -c 1-52)")
			exclude=()
			for f in $new; do exclude+=(":(exclude)$f"); done
			git format-patch -1 -k --stdout --zero-commit --no-signature --no-stat \
				-s "$commit" -- . "${exclude[@]}" >"$tmp/$name"
			# Steps that only add files have no diff: keep the changelog
			[ -s "$tmp/$name" ] ||
				git format-patch -1 -k --stdout --zero-commit --no-signature --no-stat \
					-s "$commit" | sed '/^---$/q' >"$tmp/$name"
			printf '%s' "$name"
			for f in $(git diff-tree --no-commit-id --name-only -r --diff-filter=A "$commit"); do
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
