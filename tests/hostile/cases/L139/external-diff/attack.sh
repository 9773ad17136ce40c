work
canary external-diff
set_config diff.external .git/canaries/external-diff
echo uncommitted >>work.txt
echo planted
