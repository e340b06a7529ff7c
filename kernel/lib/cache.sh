# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-only
# Where sources and build trees live, and how a base gets there. Sourced by the scripts of kernel/.
#
#   $cache/<base>-<package version>/pristine            the base as Debian ships it
#                                  /patched             a hard-linked copy carrying the series
#                                  /<arch>-<variant>    a build tree (make O=)
#
# WARD_KERNEL_CACHE moves it all. A build tree is kept in step with the series
# instead of being made anew for each state of it: make then rebuilds what
# changed, and a digest of base, series and config tells when nothing has.

cache=${WARD_KERNEL_CACHE:-${XDG_CACHE_HOME:-/var/cache}/virtward/kernel}

die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

# The directory of a base; fetches and unpacks it when it is not there.
base_dir() {
	package=linux-source-$1
	archive=/usr/src/$package.tar.xz
	if [ ! -e "$archive" ]; then
		echo "installing $package" >&2
		{ apt-get update && apt-get install -y --no-install-recommends "$package"; } >&2 ||
			die "cannot install $package"
	fi
	version=$(dpkg-query -W -f '${Version}' "$package") || die "$package is not a Debian package here"
	dir=$cache/$1-$version
	if [ ! -d "$dir/pristine" ]; then
		echo "unpacking $package $version" >&2
		mkdir -p "$dir/unpack"
		tar -C "$dir/unpack" -xf "$archive" || die "cannot unpack $archive"
		mv "$dir/unpack/$package" "$dir/pristine"
		rmdir "$dir/unpack"
	fi
	echo "$dir"
}

# Keep a copy of what was built from a state of the series, and print its path. Others who share the
# cache build other states in the same trees; what somebody is about to boot must not change under them.
# The four that were asked for last are kept: the time of a copy is that of its last use, not the one of
# what was built, which stays old where a state of the series changes nothing for this architecture.
keep() {
	kept=$1/kept/$(echo "$2" | sha256sum | cut -c 1-16)
	if [ ! -e "$kept" ]; then
		mkdir -p "$1/kept"
		rm -rf "$kept.new"
		cp -a "$3" "$kept.new"
		mv "$kept.new" "$kept"
	fi
	touch "$kept"
	# shellcheck disable=SC2012
	ls -td "$1"/kept/* | tail -n +5 | xargs -r rm -rf
	echo "$kept"
}

# One build at a time in a cache: two would write the same trees.
lock_cache() {
	mkdir -p "$cache"
	exec 9>"$cache/lock"
	flock -n 9 || { echo "waiting for another build in $cache" >&2; flock 9; }
}
