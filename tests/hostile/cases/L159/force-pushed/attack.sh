git commit -q --amend -m rewritten
work
echo planted
