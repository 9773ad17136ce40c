git switch -q -c other
work
echo planted
