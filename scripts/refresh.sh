#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Bring the commits of the working kernel tree back: each is a patch in patches/, and new
# files lie open in their place here, too. The tree has to be clean, and files that have
# been edited here since it was made, or refreshed from, are not overwritten.
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=scripts/series.sh
. "$top/scripts/series.sh"

dir=$(realpath -m "${TREE:-$build/tree}")
if [ ! -e "$dir/.git" ] || ! git -C "$dir" rev-parse -q --verify 'base^{commit}' >/dev/null; then
	wrong "$dir is no working tree, see make tree"
fi
lock_build
cd "$dir"
changes=$(git status --porcelain --untracked-files=normal)
[ -z "$changes" ] ||
	die "$dir has changes that are not committed, nor ignored by its .gitignore:"$'\n'"$changes"

fixups=$(git log --format='%h %s' base..HEAD | grep -E '^[^ ]+ (fixup|squash|amend)! ') || :
[ -z "$fixups" ] ||
	die "$dir has commits that belong into others, see git rebase --autosquash:"$'\n'"$fixups"

for f in rebase-merge rebase-apply MERGE_HEAD; do
	[ ! -e "$(git rev-parse --git-path "$f")" ] || die "$dir is in the middle of a rebase or a merge"
done
commits=$(git rev-list --reverse base..HEAD)
[ -n "$commits" ] || die "$dir has no commits on top of base"
merges=$(git log --merges --format='%h %s' base..HEAD)
[ -z "$merges" ] || die "$dir has merges, of which patches can't be made:"$'\n'"$merges"

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/patches"

# Whoever refreshes signs off what nobody has signed off. Not as his configuration wants
# patches to be.
n=0
for commit in $commits; do
	! git diff --quiet "$commit^" "$commit" || die "$(git log -1 --format='%h %s' "$commit") changes nothing"
	signoff=()
	git log -1 --format=%B "$commit" | grep -q '^Signed-off-by: ' || signoff=(-s)
	n=$((n + 1))
	git -c diff.algorithm=default -c diff.context=3 -c format.noprefix=false format-patch -q -k -1 \
		--start-number "$n" --zero-commit --no-signature --no-renames --abbrev=12 \
		--src-prefix=a/ --dst-prefix=b/ --no-base --no-thread --no-attach --no-notes \
		"${signoff[@]}" -o "$tmp/patches" "$commit"
done
# New files, as they are in the end
new=$(git diff --no-renames --name-only --diff-filter=A base HEAD)
for f in $new; do
	mkdir -p "$tmp/$(dirname "$f")"
	git show "HEAD:$f" >"$tmp/$f"
done

# Messages, which git takes apart again when it reads a patch, and authors
messages()
{
	git -C "$1" log --reverse --format='%an <%ae>%n%ad%n%B' base..HEAD | sed '/^Signed-off-by: /d' | cat -s
}

# Are these patches the commits? What they make of the files has to be the same, modes
# included.
verify()
{
	local repo=$tmp/repo edited

	mapfile -t edited < <(git diff --no-renames --name-only --diff-filter=a base HEAD)
	mkdir "$tmp/base"
	[ ${#edited[@]} -eq 0 ] || git archive base -- "${edited[@]}" | tar -x -C "$tmp/base"
	(
		patches=$tmp/patches
		series_repository "$repo" "$tmp/base"
	) || die "the patches of these commits do not apply: see what git says above"
	diff <(messages "$dir") <(messages "$repo") >&2 ||
		die "patches would lose, or change, what these messages have"
	# shellcheck disable=SC2046
	diff <(git -C "$repo" ls-tree -r HEAD) <(git ls-tree -r HEAD $(git -C "$repo" ls-files)) >&2 ||
		die "patches would make other files of these commits"
}

verify

# What is not as it was when the tree was made, and would not stay as it is
undone()
{
	local f

	sort "$record" <(series_sums) | uniq -u | awk '{ print $2 }' | sort -u |
		while read -r f; do
			if [ -e "$tmp/$f" ] || [ -e "$top/$f" ]; then
				cmp -s "$tmp/$f" "$top/$f" || echo "  $f"
			fi
		done
}

record=$(series_record)
if [ -f "$record" ]; then
	lost=$(undone)
	[ -z "$lost" ] || die "Not in $top as when the tree was made, and not what is in $dir:
$lost
Commit there what is edited here, and undo there what is undone here. To lose it instead,
remove $(realpath "$record"), which has the sums of all files as they were."
else
	echo "$dir: what it was made from is unknown, later edits of $top are undone" >&2
fi

old=$(series_new_files)
rm -f "$top"/patches/*.patch
mv "$tmp"/patches/*.patch "$top/patches/"
for f in $new; do
	mkdir -p "$top/$(dirname "$f")"
	cmp -s "$tmp/$f" "$top/$f" || cp "$tmp/$f" "$top/$f"
	[ "$(git ls-tree HEAD "$f" | cut -c 1-6)" != 100755 ] || chmod +x "$top/$f"
done
for f in $old; do
	[ -e "$tmp/$f" ] || rm -f "$top/$f"
done
series_sums >"$record"
echo "$n patches, $(echo "$new" | wc -w) new files"
