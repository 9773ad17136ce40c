canary merge-driver
printf '*.m merge=x\n' >.gitattributes; echo one >a.m; git add -A; git commit -qm one
git switch -q -c side; echo two >a.m; git commit -qam two
git switch -q main; echo three >a.m; git commit -qam three
set_config merge.x.driver .git/canaries/merge-driver
echo planted
