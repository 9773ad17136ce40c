work
canary git-proxy
set_config core.gitProxy .git/canaries/git-proxy
set_config remote.origin.url git://nowhere.invalid/x
echo planted
