#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Build the initramfs of the guests, $build/initramfs.cpio: busybox, the kselftests
# of the series and those of the kernel that apply, and the guest's own scripts.
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

tests=$applied/tools/testing/selftests
out=$build/selftests
root=$build/initramfs

# What the kernel's headers for user space are made from
headers_state()
{
	cd "$applied"
	find include/uapi arch/x86/include/uapi arch/x86/entry/syscalls usr/include Makefile \
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
	local dir=$build/headers

	make -C "$applied" O="$dir" -j"$jobs" headers
	mkdir -p "$cache/headers"
	mv "$dir/usr/include" "$headers.$$"
	mv -T "$headers.$$" "$headers" || [ -d "$headers" ]
	rm -rf "$headers.$$" "$dir"
}

compile()
{
	local d

	mkdir -p "$out/vswap" "$out/cgroup"
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
	cp "$(command -v busybox)" "$root/bin/busybox"
	for d in $("$root/bin/busybox" --list); do
		[ "$d" = busybox ] || ln -s busybox "$root/bin/$d"
	done
	cp "$top/scripts/guest/init" "$root/init"
	cp "$top"/scripts/guest/*.sh "$root/bin/"
	mkdir -p "$root/tests/vswap" "$root/tests/cgroup"
	# Files take memory of the guest, and some jobs fill all there is
	find "$out/vswap" -maxdepth 1 -type f -perm -u+x -exec cp {} "$root/tests/vswap/" \;
	find "$root/tests/vswap" -type f -exec strip {} +
	cp "$tests"/vswap/*.sh "$root/tests/vswap/"
	cp "$out/cgroup/test_zswap" "$root/tests/cgroup/"
	chmod -R +x "$root/tests" "$root/bin" "$root/init"
	# Not compressed: with KASAN in an emulator that takes a fifth of a boot
	(cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet) >"$build/initramfs.cpio"
}

state()
{
	cat "$top"/scripts/guest/* "$tests"/vswap/* "$tests"/cgroup/*.c "$tests"/cgroup/lib/*.c \
		"$tests"/*.h
	echo "$headers"
	sha256sum "$(command -v busybox)"
}

lock_build
new=$(state | digest)
if [ "$(cat "$build/initramfs.state" 2>/dev/null)" != "$new" ] || [ ! -f "$build/initramfs.cpio" ]; then
	[ -d "$headers" ] ||
		step "selftests: kernel headers" "$build/log/headers.log" install_headers
	step "selftests: build" "$build/log/selftests.log" compile
	# Without the objects, or they would not be seen again
	if sed -n '/Entering directory .*vswap/,/Leaving directory/p' "$build/log/selftests.log" |
			grep warning: >&2; then
		rm -rf "$out/vswap"
		die "the selftests have warnings"
	fi
	step "initramfs" "$build/log/initramfs.log" pack
	echo "$new" >"$build/initramfs.state"
fi
