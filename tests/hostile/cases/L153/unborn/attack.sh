work
git symbolic-ref HEAD refs/heads/unborn
echo planted
