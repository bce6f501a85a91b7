#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Get the pristine kernel source and unpack it once, outside the checkout.
# $build/pristine is a link to it: another checkout may have another kernel.
# KERNEL_SOURCE names a tarball to use instead of Debian's package.
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

download()
{
	local config

	config=$("$top/scripts/apt-config.sh")
	mkdir -p "$cache/download"
	cd "$cache/download"
	rm -rf ./*.deb deb
	APT_CONFIG=$config apt-get -q download linux-source-7.3
	dpkg-deb -x linux-source-7.3_*.deb deb
	mv deb/usr/src/linux-source-7.3.tar.xz linux-source-7.3.tar.xz
	rm -rf ./*.deb deb
}

# Our own .gitignore: Debian's ignores everything at the top.
unpack()
{
	local dir=$2.part

	rm -rf "$dir"
	mkdir -p "$dir"
	tar -C "$dir" --strip-components=1 -xf "$1"
	sed -i '/^# Debian packaging/,$d' "$dir/.gitignore"
	mv "$dir" "$2"
}

lock_build
lock_cache
if [ -n "${KERNEL_SOURCE:-}" ]; then
	tarball=$KERNEL_SOURCE
	name=$(basename "$tarball" | sed 's/\.tar.*//')-$(stat -c '%s-%Y' "$tarball" | digest)
else
	tarball=$cache/download/linux-source-7.3.tar.xz
	[ -f "$tarball" ] ||
		step "kernel source: download" "$build/log/download.log" download
	name=linux-source-7.3-$(stat -c '%s-%Y' "$tarball" | digest)
fi

[ -d "$cache/source/$name" ] ||
	step "kernel source: unpack" "$build/log/unpack.log" \
		unpack "$tarball" "$cache/source/$name"
ln -sfn "$cache/source/$name" "$build/pristine"
