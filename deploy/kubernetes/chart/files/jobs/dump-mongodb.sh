#!/bin/sh
# Dumps a database of MongoDB into /backups, and removes what is older than the newest KEEP dumps once this one is whole.
# Of a replica set everything is dumped as of one moment (--oplog), which takes all databases of the server; of a single
# node the database DATABASE, collection after collection.
set -eu
umask 077
folder=${BACKUPS:-/backups}
uri=${EVENTFOLD_KEY_STORE:-}
[ -n "$uri" ] || uri=$(cat "$EVENTFOLD_MONGO_URI_FILE")

# A command line can be read by others.
config=$(mktemp)
trap 'rm -f "$config"' EXIT
escaped=$(printf '%s' "$uri" | sed "s/'/''/g")
printf "uri: '%s'\n" "$escaped" >"$config"

case "$uri" in
  *replicaSet=*) what=--oplog ;;
  *) what=--db=$DATABASE ;;
esac
name=$DATABASE-$(date -u +%Y%m%dT%H%M%SZ).archive.gz
rm -f "$folder/$DATABASE"-*.partial
mongodump --config="$config" "$what" --gzip --archive="$folder/$name.partial"
[ -s "$folder/$name.partial" ] || { echo "the dump is empty" >&2; exit 1; }
sync
mv "$folder/$name.partial" "$folder/$name"
echo "$folder/$name"

ls -1 "$folder" | grep "^$DATABASE-.*\.archive\.gz$" | sort -r | tail -n +$((KEEP + 1)) | while read -r old; do
  rm -f "$folder/$old"
  echo "removed $folder/$old"
done
