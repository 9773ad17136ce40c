work
git gc -q
for file in .git/objects/pack/*.idx; do chmod 644 "$file"; head -c 500 "$file" >cut; cat cut >"$file"; rm cut; done
echo left >left.txt
echo planted
