work harmful bad
bad=$(git rev-parse HEAD)
echo harmless >work.txt && git add work.txt
good=$(git commit-tree -m good "$(git write-tree)")
git reset -q --hard "$bad"
git replace "$bad" "$good"
echo planted
