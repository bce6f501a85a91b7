#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Write an apt configuration of our own, which adds Debian's backports to what
# the machine has without touching the machine's configuration, update its
# lists once a day, and print its path for APT_CONFIG.
# usage: apt-config.sh [ARCHITECTURE]	packages of which are to be downloaded
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

lock_cache
architecture=${1:-}
dir=$cache/apt${architecture:+-$architecture}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"

. /etc/os-release

# Where this machine gets its own packages from
# shellcheck disable=SC2016
mirror=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' \
		'Created-By: Packages' |
	 sed -n "s/^$VERSION_CODENAME //p" | head -n 1)
[ -n "$mirror" ] || die "no mirror of Debian $VERSION_CODENAME is configured"

for suite in "$VERSION_CODENAME" "$VERSION_CODENAME-updates" \
	     "$VERSION_CODENAME-backports" trixie-backports; do
	echo "deb [signed-by=$keyring] $mirror $suite main"
done | sort -u >"$dir/sources.list"

cat >"$dir/apt.conf" <<END
Dir::State::lists "$dir/lists";
Dir::Cache "$dir/cache";
Dir::Etc::sourcelist "$dir/sources.list";
Dir::Etc::sourceparts "/dev/null";
APT::Sandbox::User "root";
END
[ -z "$architecture" ] || cat >>"$dir/apt.conf" <<END
APT::Architecture "$architecture";
APT::Architectures { "$architecture"; };
END

if [ -z "$(find "$dir/updated" -mmin -1440 2>/dev/null)" ]; then
	APT_CONFIG=$dir/apt.conf apt-get -q update >&2
	touch "$dir/updated"
fi
echo "$dir/apt.conf"
