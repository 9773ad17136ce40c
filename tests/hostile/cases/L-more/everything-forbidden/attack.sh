work
git pack-refs --all
echo left >left.txt && chmod 0 left.txt
find .git/objects -type f -exec chmod 0 {} +
chmod 0 .git/HEAD .git/packed-refs .git/refs .git/objects/pack .git
chmod 0 .
echo planted
