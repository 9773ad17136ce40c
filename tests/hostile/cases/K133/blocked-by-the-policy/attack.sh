canary envrc
echo '.git/canaries/envrc' >.envrc
git add -A -f && git commit -qm later
echo planted
