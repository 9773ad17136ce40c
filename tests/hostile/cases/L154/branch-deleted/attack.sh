git switch -q -c side
work
git branch -q -D main
echo planted
