echo first >first.txt && echo second >second.txt
git add -A && git commit -qm two
first=$(git rev-parse HEAD:first.txt)
second=$(git rev-parse HEAD:second.txt)
place() { echo ".git/objects/$(echo "$1" | cut -c1-2)/$(echo "$1" | cut -c3-)"; }
chmod 644 "$(place "$second")"
cat "$(place "$first")" >"$(place "$second")"
echo planted
