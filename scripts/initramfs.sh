#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Build the initramfs of the guests, $build/initramfs.cpio: busybox, the kselftests
# of the series and those of the kernel that apply, and the guest's own scripts. Guests
# of another architecture have one of their own, with the tests that are for them.
# usage: initramfs.sh [FLAVOR]	whose guests, as far as their architecture goes
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

set_machine "${1:-vswap}"
tests=$applied/tools/testing/selftests
root=${initramfs%.cpio}
suffix=${root#"$build/initramfs"}
out=$build/selftests$suffix
whose=${suffix/#-/, }

# What the kernel's headers for user space are made from
headers_state()
{
	local calls=scripts/syscall.tbl

	[ "$machine" != x86 ] || calls=arch/x86/entry/syscalls
	cd "$applied"
	find include/uapi "arch/$machine/include/uapi" $calls usr/include Makefile \
		scripts/headers_install.sh scripts/Makefile.asm-headers -type f | sort | xargs cat
}
headers=$cache/headers/$(headers_state | digest)

kselftest()
{
	make -C "$tests/$1" OUTPUT="$out/$1" LDFLAGS=-static "${compilers[@]}" \
		KHDR_INCLUDES="-isystem $headers" -j"$jobs" "${@:2}"
}

# They take a thousand shells, so other checkouts profit. Another one may be first.
install_headers()
{
	local dir=$build/headers$suffix

	make -C "$applied" O="$dir" "${compilers[@]}" -j"$jobs" headers
	mkdir -p "$cache/headers"
	mv "$dir/usr/include" "$headers.$$"
	mv -T "$headers.$$" "$headers" || [ -d "$headers" ]
	rm -rf "$headers.$$" "$dir"
}

# Debian's package of another architecture is not installed, only what is in it is had
fetch_busybox()
{
	local config

	config=$("$top/scripts/apt-config.sh" "$machine")
	mkdir -p "$cache/download/$machine"
	cd "$cache/download/$machine"
	rm -rf ./*
	APT_CONFIG=$config apt-get -q download busybox-static
	dpkg-deb -x busybox-static_*.deb deb
	mv deb/bin/busybox .
	rm -rf ./*.deb deb
}

compile()
{
	local d

	mkdir -p "$out/vswap" "$out/cgroup"
	if [ "$machine" != x86 ]; then
		kselftest vswap "$out/vswap/vswap_mte"
		return
	fi
	kselftest vswap
	kselftest cgroup "$out/cgroup/test_zswap"
	for d in "$tests"/vswap/vswap_*.c; do
		[ -x "$out/vswap/$(basename "$d" .c)" ] || die "the Makefile leaves out $d"
	done
}

pack()
{
	local d

	rm -rf "$root"
	for d in bin dev proc sys tmp mnt etc tests; do mkdir -p "$root/$d"; done
	cp "$busybox" "$root/bin/busybox"
	# That of another architecture can't be asked, and has the same
	for d in $(busybox --list); do
		[ "$d" = busybox ] || ln -s busybox "$root/bin/$d"
	done
	cp "$top/scripts/guest/init" "$root/init"
	cp "$top"/scripts/guest/*.sh "$root/bin/"
	mkdir -p "$root/tests/vswap" "$root/tests/cgroup"
	# Files take memory of the guest, and some jobs fill all there is
	find "$out/vswap" -maxdepth 1 -type f -perm -u+x -exec cp {} "$root/tests/vswap/" \;
	find "$root/tests/vswap" -type f -exec "${cross}strip" {} +
	cp "$tests"/vswap/*.sh "$root/tests/vswap/"
	[ "$machine" != x86 ] || cp "$out/cgroup/test_zswap" "$root/tests/cgroup/"
	chmod -R +x "$root/tests" "$root/bin" "$root/init"
	# Not compressed: with KASAN in an emulator that takes a fifth of a boot
	(cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet) >"$initramfs"
}

state()
{
	cat "$top"/scripts/guest/* "$tests"/vswap/* "$tests"/cgroup/*.c "$tests"/cgroup/lib/*.c \
		"$tests"/*.h
	echo "$headers"
	sha256sum "$busybox"
}

lock_build
busybox=$(command -v busybox)
if [ "$machine" != x86 ]; then
	busybox=$cache/download/$machine/busybox
	if [ ! -f "$busybox" ]; then
		lock_cache
		step "busybox$whose: download" "$build/log/busybox$suffix.log" fetch_busybox
	fi
fi
new=$(state | digest)
if [ "$(cat "$root.state" 2>/dev/null)" != "$new" ] || [ ! -f "$initramfs" ]; then
	[ -d "$headers" ] ||
		step "selftests$whose: kernel headers" "$build/log/headers$suffix.log" install_headers
	step "selftests$whose: build" "$build/log/selftests$suffix.log" compile
	# Without the objects, or they would not be seen again
	if sed -n '/Entering directory .*vswap/,/Leaving directory/p' "$build/log/selftests$suffix.log" |
			grep warning: >&2; then
		rm -rf "$out/vswap"
		die "the selftests have warnings"
	fi
	step "initramfs$whose" "$build/log/initramfs$suffix.log" pack
	echo "$new" >"$root.state"
fi
