#!/bin/sh
# Makes docker/secrets/ once: the database's password, and the address that contains it. Existing ones are never changed.
set -eu
folder=$(dirname "$0")/secrets
[ -s "$folder/database_url" ] && exit 0
mkdir -p "$folder"
# The folder is its owner's alone. The files in it are readable because the containers' users, who are others, read them.
chmod 700 "$folder"
password=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
printf '%s' "$password" >"$folder/database_password"
printf 'postgresql://lagpdb:%s@db:5432/lagpdb' "$password" >"$folder/database_url"
chmod 644 "$folder/database_password" "$folder/database_url"
echo "Made a password for the database in $folder/"
