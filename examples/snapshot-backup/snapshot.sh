#!/bin/sh
# A directory to a compressed archive with checksums, or to nothing when nothing changed.
#
#   sh snapshot.sh SOURCE PREVIOUS-MANIFEST OUTPUT-DIRECTORY
#
# PREVIOUS-MANIFEST is the manifest of the snapshot before; it need not exist. When SOURCE still is what it
# says, "unchanged" is printed and nothing is written. Otherwise OUTPUT-DIRECTORY gets
#   manifest.txt      SHA-256 and path of every file, in the order of their names
#   snapshot.tar.gz   the files
#   SHA256SUMS        of those two, for sha256sum -c
# Names and contents count, times and owners do not. Exit codes: 64 wrong usage, 65 something in SOURCE that is
# neither file nor directory. Needs GNU tar, gzip and sha256sum.
set -eu

[ $# -eq 3 ] && [ -d "$1" ] || { echo 'usage: snapshot.sh SOURCE PREVIOUS-MANIFEST OUTPUT-DIRECTORY' >&2; exit 64; }
source=$1 previous=$2 output=$3
LC_ALL=C
export LC_ALL

digest() { sha256sum <"$1" | cut -d ' ' -f 1; }

odd=$(find "$source" ! -type f ! -type d)
if [ -n "$odd" ]; then
  printf 'snapshot: neither file nor directory, so not in the archive:\n%s\n' "$odd" >&2
  exit 65
fi

manifest=$(mktemp)
trap 'rm -f "$manifest"' EXIT
(cd "$source" && find . -type f -print0 | sort -z | xargs -0 -r sha256sum) >"$manifest"

if [ -f "$previous" ] && [ "$(digest "$previous")" = "$(digest "$manifest")" ]; then
  echo "unchanged since $(digest "$previous")"
  exit 0
fi

mkdir -p "$output"
# Equal files may be hard links to one another here; each is to stand in the archive by itself.
tar --create --file "$output/snapshot.tar.gz" --use-compress-program='gzip -9 -n' --directory "$source" \
  --sort=name --hard-dereference --format=posix --pax-option=delete=atime,delete=ctime \
  --mtime=@0 --owner=0 --group=0 --numeric-owner .
cp "$manifest" "$output/manifest.txt"
(cd "$output" && sha256sum manifest.txt snapshot.tar.gz >SHA256SUMS)
echo "$(wc -l <"$manifest") files, manifest $(digest "$manifest")"
