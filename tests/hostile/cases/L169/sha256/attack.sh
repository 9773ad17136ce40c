rm -rf .git
git init -q -b main --object-format=sha256
git add -A && git commit -qm other
echo left >left.txt
echo planted
