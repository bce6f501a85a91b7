# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# What all scripts share: where things are, and one line with its time a step.
set -eu

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/arguments.sh
. "$top/scripts/arguments.sh"

# What a script is for, and how it is called, stands at its head
show_head()
{
	sed -n '3,/^[^#]/{ /^# shellcheck/d; s/^# \?//p }' "$0"
}

case "${1:-}" in -h | --help)
	show_head
	exit
	;;
esac

build=${BUILD:-$top/build}
mkdir -p "$build"
build=$(cd "$build" && pwd)
cache=${VSWAP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/vswap}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
jobs=${JOBS:-$(nproc)}

# PREPARED is set by who has brought up to date all that a guest needs, as test.sh
# has when it runs guests side by side.

# The kernel with the series applied; SRC names a development tree instead.
applied=${SRC:-$build/linux}

# Objects are found again by their path relative to the build directory, so
# that another checkout profits.
export CCACHE_DIR=${CCACHE_DIR:-$cache/ccache}
export CCACHE_BASEDIR=$build CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE=10G
# Alike for every make in a directory, which would build the host's programs again
compilers=(CC="ccache gcc" HOSTCC="ccache gcc")

# set_machine FLAVOR: what its kernel runs on. That is $machine, as the kernel calls the
# architecture, and all machines but x86 have $cross in front of their tools' names.
# $image is the kernel in $build/FLAVOR, $initramfs what guests boot from.
set_machine()
{
	machine=x86 cross='' image=arch/x86/boot/bzImage initramfs=$build/initramfs.cpio
	[ "$1" = arm64 ] || return 0
	machine=arm64 cross=aarch64-linux-gnu- image=arch/arm64/boot/Image
	initramfs=$build/initramfs-arm64.cpio
	compilers=("ARCH=$machine" "CROSS_COMPILE=$cross" CC="ccache ${cross}gcc"
		HOSTCC="ccache gcc")
}
export KBUILD_BUILD_TIMESTAMP='1970-01-01' KBUILD_BUILD_USER=vswap KBUILD_BUILD_HOST=vswap
export LC_ALL=C

# The system's own tools, for which the packages are
PATH=/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin:$PATH

die()
{
	echo "$*" >&2
	exit 1
}

# lock FD DIR: be the only one who writes there. Who comes second waits, and says so if
# it takes more than a moment.
lock()
{
	local fd=$1 dir=$2

	case ":${VSWAP_LOCKS:-}:" in *":$dir:"*) return 0 ;; esac
	eval "exec $fd>>\"\$dir/lock\""
	if ! flock -w 2 "$fd"; then
		echo "$dir: another make is at work there, waiting for it" >&2
		flock "$fd"
	fi
	export VSWAP_LOCKS=${VSWAP_LOCKS:-}:$dir
}

# What writes in $build or in $cache, which other checkouts use, too, starts with these.
# A lock is held until the script that has taken it ends, also for the scripts that it
# calls, which know by VSWAP_LOCKS. Programs that may stay for longer, as daemons and
# guests do, are not to have the file: see step() and run_job().
lock_build()
{
	lock 9 "$build"
}

lock_cache()
{
	lock 6 "$cache"
}

# Show the last line of a log while something writes it, on a terminal.
watch_log()
{
	local text=$1 pid=$2 log=$3

	[ -t 1 ] || return 0
	while kill -0 "$pid" 2>/dev/null; do
		printf '\r\033[K%.79s' "$text: $(tail -n 1 "$log" | tr -cd '[:print:]')"
		sleep 1
	done
	printf '\r\033[K'
}

# step TEXT LOG COMMAND...: run a long step, output to LOG, one line with its time. Who
# looks at no terminal, where the log's last line is shown, sees first what has begun.
step()
{
	local text=$1 log=$2 start=$SECONDS rc=0 pid
	shift 2

	[ -t 1 ] || echo "$text ..."
	mkdir -p "$(dirname "$log")"
	"$@" >"$log" 2>&1 </dev/null 6>&- 9>&- &
	pid=$!
	watch_log "$text" $pid "$log"
	wait $pid || rc=$?
	if [ $rc -ne 0 ]; then
		printf '%-58s failed after %d s\n' "$text" $((SECONDS - start))
		tail -n 40 "$log" >&2
		die "log: $log"
	fi
	printf '%-58s %4d s\n' "$text" $((SECONDS - start))
}

# The first field of a hash over files or strings given on standard input
digest()
{
	sha256sum | cut -c 1-16
}
