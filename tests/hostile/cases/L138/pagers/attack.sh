work
canary pager
canary pager-of-diff
set_config core.pager .git/canaries/pager
set_config pager.diff .git/canaries/pager-of-diff
echo planted
