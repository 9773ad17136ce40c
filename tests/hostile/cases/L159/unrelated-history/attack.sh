git switch -q --orphan new
work
git branch -q -M new main
echo planted
