work
truncate -s 5G .git/logs/HEAD
rm -f .git/logs/refs/heads/main && mkfifo .git/logs/refs/heads/main
echo planted
