work
id=$(git rev-parse HEAD)
path=".git/objects/$(echo "$id" | cut -c1-2)/$(echo "$id" | cut -c3-)"
rm -f "$path"
mkfifo "$path"
echo planted
