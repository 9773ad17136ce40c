git switch -q --detach
work
echo planted
