#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Fast checks without a boot, as KTAP: the series applies, checkpatch, shellcheck,
# kernel-doc, references of the documents, and that the open files are what it makes.
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=scripts/series.sh
. "$top/scripts/series.sh"

lock_build
"$top/scripts/packages.sh" build check >&2
"$top/scripts/source.sh" >&2
"$top/scripts/tree.sh" >&2

n=0 rc=0

# t TEXT COMMAND...
t()
{
	local text=$1 out
	shift
	n=$((n + 1))
	if out=$("$@" 2>&1); then
		echo "ok $n $text"
	else
		# In front, where what repeats failures looks for the reason
		echo "$out" | head -n 50 | sed 's/^/# /'
		echo "not ok $n $text"
		rc=1
	fi
}

# The entries in MAINTAINERS come with the last patch. One printk() without a level is the
# kernel's own, edited. Commits that a Fixes: tag names are in no history here. A Kconfig
# file names others of that name, and a file of tests may be named after its tests. The
# fixture of the kselftests is a macro that makes functions. In a repository, checkpatch
# would take a patch for a file like others.
checkpatch()
{
	local ignore=FILE_PATH_CHANGES,GIT_COMMIT_ID,UNKNOWN_COMMIT_ID,PRINTK_WITHOUT_KERN_LEVEL
	ignore+=,EMBEDDED_FILENAME

	case $1 in
	*-selftests-*) ignore+=,MULTISTATEMENT_MACRO_USE_DO_WHILE,MACRO_WITH_FLOW_CONTROL
		ignore+=,MACRO_ARG_REUSE ;;
	esac
	cd /
	"$build/pristine/scripts/checkpatch.pl" --strict --no-tree --no-signoff --quiet \
		--ignore "$ignore" "$top/patches/$1"
}

# none COMMAND...: that says nothing
none()
{
	local out

	out=$("$@" 2>&1)
	echo "$out"
	[ -z "$out" ]
}

kernel_doc()
{
	cd "$applied"
	none scripts/kernel-doc -none -Wreturn "$1"
}

signed_off()
{
	local p

	for p in $(series_patches); do
		grep -q '^Signed-off-by: .* <.*>$' "$top/patches/$p" || { echo "$p"; return 1; }
	done
}

# The files that lie open here are those that the series makes, no more and no less
open_files()
{
	local f new

	cd "$top"
	new=$(series_new_files)
	for f in $(git ls-files --cached --others --exclude-standard mm include drivers Documentation tools); do
		[ ! -e "$f" ] || grep -qxF "$f" <<<"$new" || echo "no patch has $f"
	done
	for f in $new; do
		[ ! -e "$build/pristine/$f" ] || echo "$f is in the kernel already"
	done
	series_open_files "$applied"
}

# The cover letter names patches by their numbers
cover_letter()
{
	local text words name patch

	text=$(tr '\n' ' ' <"$top/patches/cover-letter")
	while IFS=: read -r name words; do
		patch=$(series_patches | grep -- "$name") || { echo "no patch $name"; return 1; }
		patch=$((10#${patch%%-*}))
		grep -qF "${words/N/$patch}" <<<"$text" || { echo "$name is $patch"; return 1; }
	done <<-END
	mm-add-a-virtual-swap-device:Patch N adds the device
	mm-swap-give-folios-virtual-slots:N is the switch
	mm-validate-virtual-swap-space:N a validator
	END
}

# Files and Documentation paths that our documents and comments name exist
references()
{
	local f ref bad=0

	for f in $(series_new_files) README.md; do
		# shellcheck disable=SC2013
		for ref in $(grep -ohE '(Documentation|mm|include|tools|drivers)/[A-Za-z0-9_/.-]+\.(rst|c|h|sh)' "$top/$f" | sort -u); do
			[ -e "$applied/$ref" ] || [ -e "$top/$ref" ] || { echo "$f: $ref"; bad=1; }
		done
	done
	return "$bad"
}


shellcheck_scripts()
{
	cd "$top"
	shellcheck -x $(find scripts .ci -type f)
}

echo "TAP version 13"
t "open files are those of the series" none open_files
t "every patch is signed off" signed_off
t "the cover letter's numbers" cover_letter
for p in $(series_patches); do
	t "checkpatch: $p" checkpatch "$p"
done
for f in $(series_new_files | grep '^\(mm\|include\)/.*\.[ch]$'); do
	t "kernel-doc: $f" kernel_doc "$f"
done
t "references of documents and comments" references
t "shellcheck: scripts" shellcheck_scripts
for f in $(series_new_files | grep '\.sh$'); do
	t "shellcheck: $f" shellcheck "$top/$f"
done
echo "1..$n"
exit $rc
