#!/bin/sh
# Bring four real PDFs (15 to 38 pages each) from Debian packages into a directory, without installing anything.
#
#   sh fetch-pdfs.sh [DIRECTORY]      default: pdfs beside this script
#
# Needs apt-get (with package lists: `apt-get update`) and dpkg-deb. A file that is there already stays.
set -eu

directory=${1:-$(dirname "$0")/pdfs}
mkdir -p "$directory"
directory=$(cd "$directory" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# fetch PACKAGE PATH-IN-PACKAGE NAME: the PDF of that package, unpacked when it is compressed.
fetch() {
  [ -s "$directory/$3" ] && return
  mkdir "$scratch/$1"
  (cd "$scratch/$1" && apt-get download -qq "$1" 2>apt.log) || {
    cat "$scratch/$1/apt.log" >&2
    echo "fetch-pdfs: cannot download $1; 'apt-get update' brings the package lists it needs" >&2
    exit 1
  }
  dpkg-deb -x "$scratch/$1"/*.deb "$scratch/$1/root"
  case $2 in
    *.gz) gunzip -c "$scratch/$1/root/$2" >"$scratch/$3" ;;
    *) cp "$scratch/$1/root/$2" "$scratch/$3" ;;
  esac
  mv "$scratch/$3" "$directory/$3"
}

fetch bzip2-doc usr/share/doc/bzip2/manual.pdf.gz bzip2.pdf
fetch fontconfig usr/share/doc/fontconfig/fontconfig-user.pdf.gz fontconfig.pdf
fetch libtasn1-doc usr/share/doc/libtasn1-doc/libtasn1.pdf libtasn1.pdf
fetch shared-mime-info usr/share/doc/shared-mime-info/shared-mime-info-spec.pdf mime-info.pdf
