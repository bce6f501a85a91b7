#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Make sure that the Debian packages that building and testing need are there.
# As root they are installed, otherwise the one command that does so is printed.
# usage: packages.sh build|guest|check|cross|arm64...
#
# guest is for guests of x86, and arm64 what those of arm64 need beside it.
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

packages_of()
{
	case $1 in
	build) echo build-essential flex bison bc libelf-dev libssl-dev cpio rsync \
		kmod ccache python3 git perl xz-utils lz4 ;;
	guest) echo busybox-static ;;
	check) echo shellcheck sparse python3-ply python3-git ;;
	cross) echo gcc-aarch64-linux-gnu ;;
	arm64) echo gcc-aarch64-linux-gnu libc6-dev-arm64-cross ;;
	*) die "no list of packages for $1" ;;
	esac
}

missing()
{
	local p

	for p in "$@"; do
		dpkg-query -W -f '${Status}' "$p" 2>/dev/null |
			grep -q 'ok installed' || echo "$p"
	done
}

# CXL memory needs QEMU 8.1, which Debian 12 has in its backports only; and those of two
# architectures share files of one version.
qemu_is_new()
{
	local v

	v=$("$1" --version 2>/dev/null |
	    sed -n 's/.*version \([0-9]*\)\.\([0-9]*\).*/\1 \2/p')
	[ -n "$v" ] || return 1
	# shellcheck disable=SC2086
	set -- $v
	[ "$1" -gt 8 ] || { [ "$1" -eq 8 ] && [ "$2" -ge 1 ]; }
}

install_packages()
{
	export DEBIAN_FRONTEND=noninteractive
	apt-get -q update
	apt-get -q -y install --no-install-recommends "$@"
}

install_qemu()
{
	local config suite

	export DEBIAN_FRONTEND=noninteractive
	config=$("$top/scripts/apt-config.sh")
	suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)-backports
	if ! APT_CONFIG=$config apt-get -q -y -t "$suite" install \
			--no-install-recommends "$@"; then
		apt-get -q update
		apt-get -q -y install --no-install-recommends "$@"
	fi
}

# want_qemu PROGRAM PACKAGE
want_qemu()
{
	if qemu_is_new "$1"; then
		return
	elif [ "$(id -u)" -eq 0 ]; then
		qemu+=("$2")
	elif ! command -v "$1" >/dev/null; then
		# An older QEMU does, but for CXL memory
		needed+=("$2")
	fi
}

mapfile -t needed < <(missing $(for set in "$@"; do packages_of "$set"; done))
qemu=()
for set in "$@"; do
	case $set in
	guest) want_qemu qemu-system-x86_64 qemu-system-x86 ;;
	arm64) want_qemu qemu-system-aarch64 qemu-system-arm ;;
	esac
done

if [ "$(id -u)" -ne 0 ]; then
	[ ${#needed[@]} -eq 0 ] ||
		die "These packages are needed, as root: apt-get install ${needed[*]}"
	exit
fi

[ -z "${needed[*]}${qemu[*]}" ] || lock_cache
if [ ${#needed[@]} -gt 0 ]; then
	step "packages: $*" "$build/log/packages.log" install_packages "${needed[@]}"
fi
if [ ${#qemu[@]} -gt 0 ]; then
	step "packages: QEMU" "$build/log/packages-qemu.log" install_qemu "${qemu[@]}"
fi
