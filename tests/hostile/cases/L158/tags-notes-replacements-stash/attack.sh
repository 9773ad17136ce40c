work
git tag -a -m evil v1.0.0
git tag light
git notes add -m "a note" HEAD
git update-ref refs/replace/"$START" HEAD
git update-ref refs/remotes/origin/main HEAD
git update-ref refs/bisect/bad HEAD
echo aside >>file && git stash -q
echo planted
