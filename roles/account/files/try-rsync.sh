#!/bin/sh
# Try what deliveries ask of rsync at both ends: a file sent by list, and another removed by rules that name it.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/here" "$folder/there"
echo new >"$folder/here/sent"
echo old >"$folder/there/gone"
echo other >"$folder/there/stays"
printf './sent\0' | rsync --times --checksum --no-links --delay-updates --from0 --files-from=- --no-recursive --update \
    "$folder/here/" "$folder/there/"
printf '+ /gone\0P *\0H *\0' | rsync --times --checksum --no-links --from0 --relative --recursive --delete --existing \
    --ignore-existing '--filter=. -' --no-perms --no-times "$folder/here/./" "$folder/there/"
[ -f "$folder/there/sent" ] || { echo "a file that was sent did not arrive" >&2 && exit 1; }
[ ! -e "$folder/there/gone" ] || { echo "a file that was to go stayed" >&2 && exit 1; }
[ -f "$folder/there/stays" ] || { echo "a file that was to stay went" >&2 && exit 1; }
