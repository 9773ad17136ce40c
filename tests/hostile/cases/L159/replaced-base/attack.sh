git switch -q --orphan new
work
git branch -q -M new main
git replace --graft HEAD "$START"
echo planted
