#!/bin/sh
# Copies the files of a running EventStoreDB node from /source to a folder of /backups, in the order that its manual
# prescribes: checkpoints before what they point into, so that nothing that a checkpoint counts is missing. Removes what is
# older than the newest KEEP copies once this one is whole.
# To restore: copy it into an empty data folder, and there chaser.chk over truncate.chk, before the node starts.
set -eu
umask 077
source=${SOURCE:-/source}
folder=${BACKUPS:-/backups}
[ -f "$source/chaser.chk" ] || { echo "$source holds no data of EventStoreDB: chaser.chk is missing" >&2; exit 1; }

name=event-store-$(date -u +%Y%m%dT%H%M%SZ)
rm -rf "$folder"/event-store-*.partial
target=$folder/$name.partial
mkdir "$target"

copy() {  # what is copied, below the source; a file that went away meanwhile (merged, scavenged) is no fault
  while read -r file; do
    mkdir -p "$target/$(dirname "$file")"
    cp -p "$source/$file" "$target/$file" || [ ! -e "$source/$file" ]
  done
}
cd "$source"
if [ -d index ]; then
  find index -type f -name '*.chk' | copy
  find index -type f ! -name '*.chk' | copy
fi
find . -maxdepth 1 -type f -name '*.chk' | copy
find . -maxdepth 1 -type f -name 'chunk-*' | copy
[ -s "$target/chaser.chk" ] || { echo "chaser.chk was not copied" >&2; exit 1; }
sync
mv "$target" "$folder/$name"
echo "$folder/$name"

ls -1 "$folder" | grep '^event-store-.*Z$' | sort -r | tail -n +$((KEEP + 1)) | while read -r old; do
  rm -rf "${folder:?}/$old"
  echo "removed $folder/$old"
done
