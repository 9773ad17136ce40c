work
git gc -q
for file in .git/objects/pack/*.pack; do chmod 644 "$file"; head -c 60 "$file" >cut; cat cut >"$file"; rm cut; done
echo left >left.txt
echo planted
